"""Teacher and student are evaluated with one reading of each image."""

import pytest

from ssdet.engine import UsageError
from ssdet.evaluation.by_score import QualityByScore

from .toy import ToyData, ToyMetric, toy

TEST = dict(
    test_cfg=dict(type="TeacherStudentTestLoop"),
    test_dataloader=dict(
        batch_size=2,
        dataset=dict(type="ToyData"),
        sampler=dict(type="DefaultSampler", shuffle=False),
        collate_fn=dict(type="pseudo_collate"),
    ),
    test_evaluator=dict(type="ToyMetric"),
)


def test_both_are_evaluated_on_images_read_once(tmp_path):
    runner = toy(tmp_path, model__type="ToyPair")
    before = ToyData.read
    metrics = runner.val()
    assert ToyData.read - before == 8
    assert metrics == {
        "teacher/aAcc": 0.5, "teacher/mIoU": 2.0, "student/aAcc": 0.5, "student/mIoU": 1.0,
    }  # fmt: skip
    assert runner.model.predict_with == "student"
    # Both see the same batch, one after the other; the teacher's answer is the one that stays.
    assert [who for who, _ in runner.model.asked[:2]] == ["student", "teacher"]
    assert runner.model.asked[0][1] == runner.model.asked[1][1]


def test_one_of_them_alone(tmp_path):
    runner = toy(tmp_path, model__type="ToyPair", val_cfg__models=["student"])
    assert set(runner.val()) == {"student/aAcc", "student/mIoU"}


def test_who_predicts_is_restored_after_an_error(tmp_path):
    runner = toy(tmp_path, model__type="ToyPair", **TEST, test_cfg__model="teacher")
    ToyMetric.fail = True
    try:
        for run in (runner.val, runner.test):
            with pytest.raises(RuntimeError, match="no metric today"):
                run()
            assert runner.model.predict_with == "student"
    finally:
        ToyMetric.fail = False


def test_a_plain_model_has_plain_names(tmp_path):
    assert set(toy(tmp_path).val()) == {"aAcc", "mIoU"}


@pytest.mark.parametrize(("model", "score"), [("teacher", 2.0), ("student", 1.0)])
def test_test_loop_asks_the_chosen_one(tmp_path, model, score):
    runner = toy(tmp_path, model__type="ToyPair", **TEST, test_cfg__model=model)
    assert runner.test()["mIoU"] == score


@pytest.mark.parametrize("models", [[], ["pupil"], ["teacher", "teacher"]])
def test_wrong_models_are_named(tmp_path, models):
    with pytest.raises(UsageError, match=r"expected some of \['teacher', 'student'\]"):
        toy(tmp_path, val_cfg__models=models).val()


def test_what_cannot_be_counted_is_said_and_nothing_old_stays(tmp_path, monkeypatch):
    runner, said = toy(tmp_path, model__type="ToyPair"), []
    monkeypatch.setattr(type(runner), "iter", 3)
    monkeypatch.setattr(runner.logger, "info", said.append)
    monkeypatch.setattr(
        QualityByScore, "add", lambda self, _: setattr(self, "problem", "odd boxes")
    )
    (tmp_path / "quality.json").write_text("{}")
    for _ in range(2):
        assert runner.val()["teacher/mIoU"] == 2.0
    assert [one for one in said if "quality" in one] == [
        "The validation writes no quality.json: odd boxes"
    ]
    assert not (tmp_path / "quality.json").exists()


def test_validation_does_not_change_the_training(tmp_path):
    from tests.reliability.harness import checkpoint, difference

    toy(tmp_path / "often", train_cfg__val_interval=1).train()
    toy(tmp_path / "once", train_cfg__val_interval=6).train()
    one, other = (checkpoint(tmp_path / name, 6) for name in ("often", "once"))
    for part in ("state_dict", "optimizer", "rng"):
        assert difference(one[part], other[part]) is None
