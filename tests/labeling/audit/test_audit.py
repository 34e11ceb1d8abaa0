"""The audit of a config: what a teacher that knows the truth finds in data with planted faults."""

import json
import shutil

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from ssdet.cli import main
from ssdet.datasets import DigitScenes
from ssdet.doctor.parallel import silent
from ssdet.labeling.audit import Asked, Boxes, audit, examine, judge
from ssdet.labeling.audit.judge import Found


class Oracle(judge.Judge):
    """A teacher that sees every object of the scene, in the image and in any view of it."""

    def look(self, image, **options):
        return self.truth(image)

    def again(self, image, **options):
        return iter([self.truth(image)])

    def hidden(self, image, boxes):
        return self.truth(image)

    def truth(self, image):
        number = int(image.path[-10:-4])
        everything = scenes(12)
        scene = everything.get_data_info(number)["scene"].open()
        features = np.array([np.cos(number / 10), np.sin(number / 10)])
        if self.pixels:
            labels = scene.label_map
            return Found(features, probabilities=np.stack([labels == c for c in range(3)]) * 0.9)
        boxes = Boxes(scene.boxes.astype(float), scene.labels, np.full(len(scene.labels), 0.9))
        return Found(features, boxes)


def scenes(count, digits=(0, 1, 2), clutter=0.3):
    return DigitScenes(
        count=count, image_size=64, digits=digits, clutter=clutter, pipeline=[], cache=True
    )


@pytest.fixture
def knowing(monkeypatch):
    """The audit with a teacher that knows the truth."""
    monkeypatch.setattr(examine, "Judge", Oracle)


def faulty(monkeypatch, change):
    """What the reader takes for the labels of the first labeled image is changed."""
    from ssdet.labeling.audit import images

    real, done = images._boxes, []

    def boxes(instances):
        given = real(instances)
        if not done and len(given) > 1:
            done.append(given)
            return change(given)
        return given

    monkeypatch.setattr(images, "_boxes", boxes)
    return done


def swapped(given):
    labels = given.labels.copy()
    labels[0] = (labels[0] + 1) % 3
    return Boxes(given.bboxes, labels, given.scores)


def moved(given):
    boxes = given.bboxes.copy()
    boxes[0] += 0.3 * (boxes[0, 2] - boxes[0, 0]) * np.array([1, 0, 1, 0])
    return Boxes(boxes, given.labels, given.scores)


def dropped(given):
    return Boxes(given.bboxes[1:], given.labels[1:], given.scores[1:])


@pytest.mark.parametrize(
    ("change", "kind"),
    [(swapped, "swapped"), (moved, "badly placed"), (dropped, "overlooked")],
)
def test_a_planted_fault_is_the_only_finding(tiny, knowing, monkeypatch, change, kind):
    config, name, checkpoint = tiny("detection")
    done = faulty(monkeypatch, change)
    found = audit(config, name, [checkpoint], Asked(parts=("labels",)))
    assert done
    (suspect,) = found.suspects
    assert suspect.kind == kind
    truth = done[0]
    if kind == "swapped":
        assert suspect.suggested == truth.labels[0]
        assert suspect.given == (truth.labels[0] + 1) % 3
    assert (suspect.better or suspect.box) == pytest.approx(truth.bboxes[0], abs=0.01)


def test_an_image_without_a_label_may_lack_them(tiny, knowing, monkeypatch):
    config, name, checkpoint = tiny("detection")
    done = faulty(monkeypatch, lambda given: Boxes())
    found = audit(config, name, [checkpoint], Asked(parts=("labels",)))
    assert {suspect.kind for suspect in found.suspects} == {"overlooked"}
    assert len(found.suspects) == len(done[0])


def test_right_labels_are_no_finding(tiny, knowing):
    config, name, checkpoint = tiny("detection")
    found = audit(config, name, [checkpoint], Asked(parts=("labels",)))
    assert found.suspects == []
    assert found.objects.sum() > 4
    assert found.missed.sum() == 0


def test_before_there_is_a_model_the_image_farthest_from_all_labeled_ones_is_first(tiny, knowing):
    config, name, _ = tiny("detection")
    found = audit(config, name, [], Asked(parts=("next",), count=3))
    assert found.images == {"labeled": 4, "unlabeled": 8, "validation": 0}
    labeled = DigitScenes(split="labeled", count=12, labeled=4, pipeline=[]).numbers
    away = {n: min(abs(n - one) for one in labeled) for n in range(12)}
    numbers = [int(choice.look.path[-10:-4]) for choice in found.choices]
    assert away[numbers[0]] == max(away.values())
    assert len({*numbers} - {*labeled}) == 3
    assert all(choice.reasons for choice in found.choices)


def test_what_is_found_again_in_every_view_is_doubted_for_its_score_alone(tiny, knowing):
    config, name, checkpoint = tiny("detection")
    found = audit(config, name, [checkpoint], Asked(parts=("next",), count=3))
    full = [choice.look for choice in found.choices if len(choice.look.classes)]
    for look in full:
        assert look.criteria == pytest.approx(dict(faithfulness=1, robustness=1, confidence=0.9))
        assert look.doubt == pytest.approx(0.1)
    assert full


def test_a_list_says_who_judges_whom(tiny, knowing, tmp_path):
    config, name, checkpoint = tiny("detection")
    labeled = DigitScenes(split="labeled", count=12, labeled=4, pipeline=[])
    names = [labeled.get_data_info(n)["img_path"] for n in range(4)]
    lists = [tmp_path / "a.txt", tmp_path / "b.txt"]
    lists[0].write_text("".join(f"{one}\n" for one in names[:2]))
    lists[1].write_text("".join(f"{one}\n" for one in names[:3]))
    asked = Asked(parts=("labels",), trained_on=tuple(map(str, lists)))
    with DefaultScope.overwrite_default_scope("mmdet"):
        job = examine._Examination(config, name, [checkpoint, checkpoint], asked, silent)
    who = [[job.judges.index(judge) for judge in job.unseen[one]] for one in names]
    assert who == [[0, 1], [0, 1], [0], [0, 1]]
    assert "2 labeled images were learned by every checkpoint" in job.audit.notes[0]


# ---------------------------------------------------------------------- the command


@pytest.mark.parametrize("kind", ["detection", "segmentation"])
def test_the_command_writes_page_json_and_lists(tiny, tmp_path, capsys, monkeypatch, kind):
    _, name, checkpoint = tiny(kind)
    out = tmp_path / "audit"
    command = ["audit", name, checkpoint, "--count", "5", "--score", "0.25", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["/usr/bin/ssdet", *command])
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "next steps" in printed and "8 unlabeled" in printed
    content = json.loads((out / "audit.json").read_text())
    lines = (out / "label-next.txt").read_text().splitlines()
    assert len(lines) == 5
    assert [one["image"] for one in content["label_next"]] == lines
    assert [one["data"]["image"] for one in json.loads((out / "label-next.json").read_text())] == (
        lines
    )
    assert all(0 <= one["doubt"] <= 1 for one in content["label_next"])
    assert sum(content["labeled_objects"]) >= 4
    page = (out / "audit.html").read_text()
    assert "Label these next" in page and "These labels look wrong" in page
    assert page.count("data:image/jpeg") >= 5
    assert f"<code>ssdet {' '.join(command)}</code>" in page, "with every option that was given"
    assert "http" not in page.partition("<body>")[2]


def test_before_there_is_a_model_the_starting_weights_choose(tiny, tmp_path, capsys):
    _, name, _ = tiny("detection")
    assert main(["audit", name, "--count", "3", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "the backbone of the config is not pretrained" in printed
    assert "labels are not judged" in printed
    assert len((tmp_path / "label-next.txt").read_text().splitlines()) == 3
    assert "These labels look wrong" not in (tmp_path / "audit.html").read_text()


def test_a_run_folder_brings_config_and_checkpoint(tiny, tmp_path, capsys):
    _, name, checkpoint = tiny("detection")
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    shutil.copy(name, run / "config.py")
    shutil.copy(checkpoint, run / "checkpoints" / "iter_1.pth")
    command = ["--only", "next", "--count", "2", "--out"]
    for place, out in (([str(run)], "a"), ([name, checkpoint], "b")):
        assert main(["audit", *place, *command, str(tmp_path / out)]) == 0
    first, second = (json.loads((tmp_path / out / "audit.json").read_text()) for out in "ab")
    assert first["label_next"] == second["label_next"]
    assert all(one["doubt"] is not None for one in first["label_next"]), "by the checkpoint"


def test_a_checkpoint_of_another_config_is_refused(tiny, tmp_path, capsys):
    _, name, _ = tiny("detection")
    _, _, other = tiny("segmentation")
    assert main(["audit", name, other, "--out", str(tmp_path)]) == 74
    told = capsys.readouterr().err
    assert "other classes" in told and "background" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--count", "0"], "--count 0"),
        (["--score", "2"], "--score 2.0"),
        (["--trained-on", "LIST", "LIST"], "2 lists for 1 checkpoints"),
        (["--unlabeled", "nowhere"], "nowhere"),
    ],
)
def test_wrong_options_are_named(tiny, tmp_path, capsys, options, told):
    _, name, checkpoint = tiny("detection")
    (tmp_path / "list.txt").write_text("a.png\n")
    given = [str(tmp_path / "list.txt") if one == "LIST" else one for one in options]
    assert main(["audit", name, checkpoint, "--out", str(tmp_path), *given]) in (2, 65)
    assert told in capsys.readouterr().err


def test_a_config_without_unlabeled_images_is_told_what_to_do(tiny, tmp_path, capsys):
    _, name, checkpoint = tiny("detection")
    command = ["audit", name, checkpoint, "--out", str(tmp_path)]
    config, _, _ = tiny("detection")
    config = config.copy()
    object.__setattr__(config, "_format_python_code", False)  # which takes seconds
    config.train_dataloader.dataset.datasets = config.train_dataloader.dataset.datasets[:1]
    config.dump(tmp_path / "labeled_only.py")
    command[1] = str(tmp_path / "labeled_only.py")
    assert main(command) == 2
    assert "--unlabeled" in capsys.readouterr().err
