"""The monitor on hand-made steps: every number by hand, one warning of each kind, no traces."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from ssdet.hooks import FixedThresholdHook, PseudoLabelMonitorHook, TeacherEMAHook
from ssdet.hooks._parts.image_statistics import ImageStatistics
from ssdet.hooks._parts.run_watch import RunWatch, distance_of_classes, headline
from ssdet.hooks.observe.monitor import SAMPLED, scalars
from ssdet.testing import detector, segmentor, take_step

from ...helpers import build_pair, pseudo
from .steps import SIZE, box_step, lines, pixel_step, views


@pytest.fixture
def model():
    return build_pair()


def hook_in(folder, model, **settings):
    hook = PseudoLabelMonitorHook(
        **{"classes": ["a", "b", "c"], "interval": 1, "compare_interval": 0, **settings}
    )
    model.hooks.clear()
    model.attach(hook)
    hook.open(folder)
    return hook


def test_counts_of_boxes(tmp_path, model):
    hook_in(tmp_path, model).before_student(box_step(model))
    (line,) = lines(tmp_path, "stats.jsonl")
    expected = {
        "iter": 1, "iterations": 1, "images": 1, "unit": "boxes", "classes": ["a", "b", "c"],
        "proposed": [1, 2, 1], "kept": [1, 1, 0], "score": [0.9, 0.7, None],
        "ambiguous": [0, 1, 0], "ignored": [0, 0, 1], "dropped": {"score": [0, 1, 0]},
        "empty": 0.0,
    }  # fmt: skip
    assert {key: line[key] for key in expected} == expected


def test_counts_of_pixels(tmp_path, model):
    step = pixel_step(model)
    step.pseudo.labels[0, 0, 0] = 255
    step.pseudo.weights[0, :16, :2] = 0.5
    hook_in(tmp_path, model).before_student(step)
    (line,) = lines(tmp_path, "stats.jsonl")
    assert line["proposed"] == [16 * 47, 16 * 47 - 1, 0] and line["kept"] == [384, 383, 0]
    assert line["ambiguous"] == [0, 31, 0]
    assert line["dropped"] == {"weight": [16 * 23, 16 * 23, 0]}
    assert line["empty"] == pytest.approx(32 * 23 / (32 * 47 - 1), abs=1e-4)
    assert line["unit"] == "pixels" and line["score"] == [0.75, 0.75, None]


def test_an_image_without_labels_is_counted_as_empty(tmp_path, model):
    step = box_step(model)
    step.drop(0, torch.ones(3, dtype=torch.bool), "size")
    hook_in(tmp_path, model).before_student(step)
    (line,) = lines(tmp_path, "stats.jsonl")
    assert line["empty"] == 1.0 and line["kept"] == [0, 0, 0]
    assert line["dropped"] == {"score": [0, 1, 0], "size": [1, 1, 1]}


def test_one_line_for_each_interval_and_one_for_the_rest(tmp_path, model):
    hook = hook_in(tmp_path, model, interval=3)
    hook.last = 9
    for iteration in range(10):
        hook.before_student(box_step(model, iteration))
    found = [(line["iter"], line["images"]) for line in lines(tmp_path, "stats.jsonl")]
    assert found == [(3, 3), (6, 3), (9, 3), (10, 1)]


def test_names_of_classes_that_nobody_gave(tmp_path, model):
    hook_in(tmp_path, model, classes=None).before_student(box_step(model))
    assert lines(tmp_path, "stats.jsonl")[0]["classes"] == ["class 0", "class 1", "class 2"]


def test_the_threshold_of_each_class(tmp_path, model):
    hook = hook_in(tmp_path, model)
    hook.before_student(box_step(model))
    assert hook.line["threshold"] is None
    model.attach(threshold := FixedThresholdHook(score=[0.1, 0.2, 0.3]))
    step = box_step(model)
    threshold.after_teacher(step)
    hook.before_student(step)
    assert hook.line["threshold"] == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize("make", [box_step, pixel_step])
def test_state_travels_with_the_checkpoint(tmp_path, model, make):
    hook = hook_in(tmp_path / "a", model, interval=2, patience=1)
    hook.before_student(make(model, 0))
    state = hook.state_dict()
    other = hook_in(tmp_path / "b", model, interval=2, patience=1)
    other.load_state_dict(state)
    for iteration in (1, 2, 3):
        for one in (hook, other):
            one.before_student(make(model, iteration))
    assert lines(tmp_path / "a", "stats.jsonl") == lines(tmp_path / "b", "stats.jsonl")
    assert [line["images"] for line in lines(tmp_path / "b", "stats.jsonl")] == [2, 2]
    assert other.state_dict()["watch"] == hook.state_dict()["watch"]


def test_a_training_step_comes_out_the_same_with_a_monitor():
    losses = []
    for watched in (False, True):
        for build in (detector, segmentor):
            torch.manual_seed(3)
            hooks = [PseudoLabelMonitorHook(interval=1, compare_interval=1)] * watched
            step = take_step(build(), FixedThresholdHook(score=0.3), *hooks)
            values = {k: torch.as_tensor(v).detach().sum() for k, v in step.losses.items()}
            losses.append({k: v.item() for k, v in values.items()})
            assert step.model.student.training
            losses[-1]["next"] = torch.rand(()).item()
    assert losses[:2] == losses[2:]


def test_teacher_and_student_agree_until_one_of_them_changes(tmp_path):
    for build in (detector, segmentor):
        hook = PseudoLabelMonitorHook(interval=1, compare_interval=1)
        model = build()
        take_step(model, hook)
        assert hook.line["agreement"] == 1.0 and hook.line["weight_distance"] == 0.0
        with torch.no_grad():
            for value in model.student.parameters():
                value.mul_(-1.5)
        take_step(model)
        assert hook.line["agreement"] < 1.0
        assert hook.line["weight_distance"] == pytest.approx(2.5 / 1.5, rel=1e-4)


def test_the_student_is_asked_no_more_often_than_wished(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "ssdet.hooks.observe.monitor.agreement", lambda step: asked.append(step.iteration) or 1.0
    )
    model = detector()
    hook = hook_in(tmp_path, model, interval=2, compare_interval=4)
    for iteration in range(12):
        hook.before_student(box_step(model, iteration))
    assert asked == [1, 5, 9]


def test_the_momentum_of_the_average(tmp_path):
    average = TeacherEMAHook(momentum=0.9)
    hook = PseudoLabelMonitorHook(interval=1)
    hook.open(tmp_path)
    model = detector()
    for number in range(2):
        take_step(model, *([average, hook] if not number else []))
        if not number:
            assert hook.line["momentum"] is None, "it has not averaged yet"
            average.update()
    assert hook.line["momentum"] == 0.9 == scalars(hook.line)["monitor/momentum"]


def test_labels_of_the_data_and_their_distance(tmp_path, model):
    hook = hook_in(tmp_path, model)
    hook._labels.labels = torch.tensor([1.0, 3.0, 0.0])
    hook._labels.complete = True
    hook.before_student(box_step(model))  # one a and one b are kept
    assert hook.line["drift"] == pytest.approx(0.25)
    assert distance_of_classes([0, 0], [1, 1]) is None


def test_images_that_look_different(tmp_path, model):
    hook = hook_in(tmp_path, model)
    for number in range(8):
        step = box_step(model, SAMPLED * number)
        step.sup = step.strong["unsup_student"]
        step.sup.samples[0].gt_instances = step.targets["unsup_student"][0].gt_instances
        step.weak.inputs += 0.1 * number
        step.sup.inputs -= 0.1 * number
        hook.before_student(step)
    # Means -0.42 and -1.05 at the start, each with a spread of 0.1 * std(0 ... 7).
    spread = 0.1 * np.std(range(8))
    gap = (100 - 60) / 64 + 2 * 0.1 * np.mean(range(8))
    assert hook.line["image_shift"] == pytest.approx(gap / spread, rel=1e-3)


def test_padding_is_no_color():
    statistics = ImageStatistics()
    for values in ([100.0] * 8, [60.0] * 8):
        step = SimpleNamespace(sup=views(values, padding=16), weak=views(values))
        step.sup.inputs[..., SIZE[1] :] = 0
        statistics.add(step)
    assert statistics.distance() == pytest.approx(0.0, abs=1e-5)


# ---------------------------------------------------------------------- hidden truth


def coco(folder, boxes, labels):
    names = ["a", "b", "c"]
    content = {
        "images": [{"id": 1, "file_name": "0.png", "width": SIZE[1], "height": SIZE[0]}],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
        "annotations": [
            {"id": n + 1, "image_id": 1, "category_id": label + 1, "iscrowd": 0,
             "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            for n, ((x1, y1, x2, y2), label) in enumerate(zip(boxes, labels, strict=True))
        ],
    }  # fmt: skip
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "truth.json").write_text(json.dumps(content))
    return {"source": str(folder / "truth.json"), "format": "coco", "images": str(folder)}


def test_precision_and_recall_of_kept_and_dropped_boxes(tmp_path, model):
    # Kept a at (2, 2) is right; ambiguous b at (20, 2) has the wrong class; the dropped b is right.
    truth = coco(
        tmp_path, [(2, 2, 12, 12), (20, 2, 30, 12), (30, 18, 40, 28), (0, 29, 5, 32)], [0, 2, 1, 1]
    )
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((*SIZE, 3), np.uint8))
    hook = hook_in(tmp_path, model, truth=truth)
    hook.before_student(box_step(model))
    found = hook.line["truth"]
    assert found["objects"] == [1, 2, 1]
    assert found["precision"] == [1.0, 0.0, None] and found["recall"] == [1.0, 0.0, 0.0]
    assert found["iou"] == [1.0, 0.0, None]
    assert found["dropped_precision"] == [None, 1.0, 0.0]
    assert found["dropped_iou"] == [None, 1.0, 0.0]
    assert found["all"]["precision"] == 0.5 and found["all"]["recall"] == 0.25
    # Four objects and four proposals: at the lowest score of them both are 1/2.
    assert found["all"]["balanced_score"] == pytest.approx(0.2, abs=0.011)


def test_the_truth_follows_the_view(tmp_path, model):
    truth = coco(tmp_path, [(36, 2, 46, 12)], [0])
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((*SIZE, 3), np.uint8))
    step = box_step(model)
    flip = np.array([[-1.0, 0, SIZE[1]], [0, 1, 0], [0, 0, 1]])
    step.weak.samples[0].set_metainfo({"homography_matrix": flip})
    hook = hook_in(tmp_path, model, truth=truth)
    hook.before_student(step)
    assert hook.line["truth"]["precision"][0] == 1.0


def test_precision_and_recall_of_pixels(tmp_path, model):
    # Labels: the upper half is 1, the lower 0; 24 of 47 columns are kept. The truth is all 1.
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "0.png"), np.ones(SIZE, np.uint8))
    truth = {"source": str(tmp_path), "format": "masks"}
    hook = hook_in(tmp_path, model, truth=truth)
    hook.before_student(pixel_step(model))
    found = hook.line["truth"]
    assert found["objects"] == [0, 32 * 47, 0]
    assert found["precision"] == [0.0, 1.0, None]
    assert found["recall"] == [None, pytest.approx(16 * 24 / (32 * 47), abs=1e-4), None]
    assert found["dropped_precision"] == [0.0, 1.0, None]
    assert found["dropped_iou"] == [0.0, pytest.approx(16 * 23 / (32 * 47), abs=1e-4), None]


def test_objects_out_of_the_view_need_not_be_found(tmp_path, model):
    truth = coco(tmp_path, [(2, 2, 12, 12), (0, 0, 2, 2)], [0, 0])
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((*SIZE, 3), np.uint8))
    step = box_step(model)
    moved = np.array([[1.0, 0, -2], [0, 1, -2], [0, 0, 1]])
    step.weak.samples[0].set_metainfo({"homography_matrix": moved})
    hook = hook_in(tmp_path, model, truth=truth)
    hook.before_student(step)
    assert hook.line["truth"]["objects"] == [1, 0, 0]


def test_what_is_kept_finds_an_object_before_what_is_dropped(tmp_path, model):
    truth = coco(tmp_path, [(2, 2, 12, 12)], [0])
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((*SIZE, 3), np.uint8))
    step = box_step(model)
    step.dropped[0]["size"] = pseudo([(2, 2, 12, 12)], [0.95], [0])
    hook = hook_in(tmp_path, model, truth=truth)
    hook.before_student(step)
    found = hook.line["truth"]
    assert found["recall"][0] == 1.0 and found["dropped_precision"][0] == 0.0


def test_classes_go_by_their_names(tmp_path, model):
    truth = coco(tmp_path, [(2, 2, 12, 12)], [0])
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((*SIZE, 3), np.uint8))
    hook = hook_in(tmp_path, model, truth=truth, classes=["b", "a", "c"])
    hook.before_student(box_step(model))  # its first class, which is kept there, is b now
    assert hook.line["truth"]["objects"] == [0, 1, 0]
    assert hook.line["truth"]["precision"][0] == 0.0


def test_classes_of_label_maps_go_by_their_names(tmp_path, model):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "0.png"), np.ones(SIZE, np.uint8))
    (tmp_path / "classes.txt").write_text("b\na\nc\n")  # so the maps say a everywhere
    hook = hook_in(tmp_path, model, truth={"source": str(tmp_path), "format": "masks"})
    hook.before_student(pixel_step(model))
    assert hook.line["truth"]["objects"] == [32 * 47, 0, 0]


def test_truth_of_other_classes_is_refused(tmp_path, model):
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((*SIZE, 3), np.uint8))
    truth = coco(tmp_path, [(2, 2, 12, 12)], [0])
    hook = hook_in(tmp_path, model, truth=truth, classes=["a", "b", "d"])
    with pytest.raises(ValueError, match="classes"):
        hook.before_student(box_step(model))


# ---------------------------------------------------------------------- warnings


def line(number, kept, proposed=None, **more):
    names = ["a", "b", "c"]
    counts = {"proposed": list(proposed or [5, 5, 5]), "kept": list(kept), "classes": names}
    where = {"iter": 10 * number, "iterations": 10, "images": 10, "unit": "boxes"}
    return {**where, **counts, **more}


def said(watch, lines):
    return [one.key for each in lines for one in watch.look(each)]


def test_a_healthy_run_hears_nothing():
    watch = RunWatch(2, labels=[5, 4, 3], amount=2)
    assert said(watch, [line(n, [5, 4, 3], drift=0.1) for n in range(1, 20)]) == []


@pytest.mark.parametrize(
    ("lines_", "labels", "key"),
    [
        ([line(n, [0, 0, 0]) for n in (1, 2, 3)], (), "silent"),
        ([line(n, [9, 9, 9 * (n < 3)]) for n in (1, 2, 3, 4)], (), "vanished"),
        ([line(n, [9, 9, 0]) for n in range(1, 6)], (1, 1, 1), "vanished"),
        ([line(n, [90, 90, 90]) for n in (1, 2)], (2, 2, 2), "flood"),
        ([line(n, [99, 1, 1]) for n in (1, 2)], (90, 80, 70), "collapse"),
        ([line(n, [9, 9, 9], drift=0.6) for n in (1, 2)], (), "drift"),
        ([line(n, [9, 9, 9], image_shift=3.0) for n in (1, 2)], (), "shift"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once(lines_, labels, key):
    watch = RunWatch(2, labels=labels, amount=2.0)
    assert said(watch, lines_) == [key]
    assert said(watch, lines_[-2:]) == []


@pytest.mark.parametrize("unit", ["boxes", "pixels"])
def test_only_boxes_are_counted_against_objects(unit):
    watch = RunWatch(2, labels=[2, 2, 2], amount=2.0)
    found = said(watch, [line(n, [90, 90, 90], unit=unit) for n in (1, 2)])
    assert found == (["flood"] if unit == "boxes" else [])


def test_one_class_that_has_nearly_all_labels_is_no_collapse():
    watch = RunWatch(2, labels=[98, 1, 1], amount=10.0)
    assert said(watch, [line(n, [99, 1, 1]) for n in (1, 2)]) == []


def test_a_silent_teacher_is_told_from_a_high_threshold():
    for proposed, advice in (([5, 5, 5], "threshold"), ([0, 0, 0], "burn-in")):
        watch = RunWatch(2)
        found = [one for n in (1, 2) for one in watch.look(line(n, [0, 0, 0], proposed))]
        assert advice in str(found[0])
        assert "iterations 1 to 20" in str(found[0])


def test_validations():
    watch = RunWatch(evaluations=2)
    values = [(50.0, 40.0), (48.0, 50.0), (44.0, 50.0), (43.0, 40.0)]
    found = [
        [one.key for one in watch.validated({"teacher/mIoU": t, "student/mIoU": s, "lr": 1.0})]
        for t, s in values
    ]
    assert found == [[], [], ["behind"], ["falling"]]
    assert headline({"student/coco/bbox_mAP": 0.5, "coco/segm_mAP": 1}) == {"student": 0.5}
    assert headline({"time": 3.0}) == {}
    # As for the best checkpoint: whole volumes count more than pixels.
    assert headline({"teacher/mIoU": 1.0, "teacher/volume/mDice": 2.0}) == {"teacher": 2.0}


def test_a_warning_is_logged_and_written(tmp_path, model, caplog):
    hook = hook_in(tmp_path, model, patience=1)
    step = box_step(model)
    step.drop(0, torch.ones(3, dtype=torch.bool), "size")
    hook.before_student(step)
    (advice,) = lines(tmp_path, "advice.jsonl")
    assert advice["key"] == "silent" and advice["iter"] == 1 and advice["advice"]


# ---------------------------------------------------------------------- in a run


def test_numbers_reach_the_visualizer(tmp_path, model):
    sent = {}
    data = SimpleNamespace(metainfo={"classes": ("x", "y", "z")})
    runner = SimpleNamespace(
        work_dir=tmp_path, max_iters=7, iter=0, train_dataloader=SimpleNamespace(dataset=data),
        visualizer=SimpleNamespace(add_scalars=lambda values, step: sent.update(values, step=step)),
    )  # fmt: skip
    hook = PseudoLabelMonitorHook(interval=1, compare_interval=0)
    model.hooks.clear()
    model.attach(hook)
    hook.before_train(runner)
    hook.before_student(box_step(model))
    assert sent["step"] == 1 and sent["monitor/kept/x"] == 1.0
    assert sent["monitor/score/y"] == pytest.approx(0.7) and "monitor/score/z" not in sent


def test_a_second_monitor_is_refused(model):
    model.hooks.clear()
    model.attach(PseudoLabelMonitorHook())
    with pytest.raises(ValueError, match="default_hooks"):
        model.attach(PseudoLabelMonitorHook())


def test_a_model_without_a_teacher_has_nothing_to_watch():
    hook = PseudoLabelMonitorHook()
    hook.before_run(SimpleNamespace(model=torch.nn.Linear(1, 1)))
    hook.before_train(SimpleNamespace())
    hook.after_val_epoch(SimpleNamespace(iter=1), {"mIoU": 1.0})
    assert hook.model is None


@pytest.mark.parametrize("wrong", [dict(interval=0), dict(patience=0), dict(compare_interval=-1)])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=f"PseudoLabelMonitorHook: {next(iter(wrong))}"):
        PseudoLabelMonitorHook(**wrong)
