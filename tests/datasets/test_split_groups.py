"""`ssdet split --group-by`: a patient, a video or a site lies on one side of a split."""

import json
from itertools import combinations

import pytest

from ssdet.cli import main
from ssdet.datasets.split_groups import Groups, group_images
from ssdet.formats import DataError, read

from ..formats import miniature

PATIENTS = 12
SLICES = {n: 2 + n % 4 for n in range(PATIENTS)}  # 42 slices, 2 to 5 of each patient


def split(*arguments):
    return main(["split", *map(str, arguments)])


@pytest.fixture
def slices(tmp_path, monkeypatch):
    """A COCO file of slices, in folders of a site, with the patient in name and record."""
    monkeypatch.chdir(tmp_path)
    content = miniature.coco_records(sum(SLICES.values()))
    images = iter(content["images"])
    rows = ["image,patient,site"]
    for patient, count in SLICES.items():
        site = "abc"[patient % 3]
        for number in range(count):
            image = next(images)
            name = f"p{patient:02}_slice_{number:02}.png"
            image.update(file_name=f"{site}/{name}", patient=patient)
            rows.append(f"{name},p{patient},{site}")
    (tmp_path / "patients.csv").write_text("\n".join(rows) + "\n")
    return miniature.write_json(tmp_path / "data" / "slices.json", content)


def parts(folder, *names):
    found = []
    for name in names:
        content = json.loads((folder / f"slices.{name}.json").read_text())
        found.append({image["file_name"] for image in content["images"]})
    return found


def patients(names):
    return {name.rsplit("/")[-1].partition("_")[0] for name in names}


RULES = {
    "an expression": ["--group-by", "/(p[0-9]+)_"],
    "a key of the record": ["--group-by", "patient"],
    "a column of a table": ["--group-by", "patient", "--groups", "patients.csv"],
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_no_patient_is_on_two_sides(slices, tmp_path, rule, capsys):
    shares = ["--percent", 10, 30, 60, "--fold", 1, 2, 3]
    assert split("coco", slices, *shares, "--val-percent", 20, *rule) == 0
    (val,) = parts(tmp_path / "splits", "val")
    everything = {image["file_name"] for image in json.loads(slices.read_text())["images"]}
    for fold in (1, 2, 3):
        sizes = []
        for percent in (10, 30, 60):
            ending = f"{fold}@{percent}"
            labeled, others = parts(tmp_path / "splits", ending, f"{ending}-unlabeled")
            assert labeled | others | val == everything
            for one, other in combinations((labeled, others, val), 2):
                assert not patients(one) & patients(other)
            # No patient has more than 5 slices: the nearest number is at most 2 away.
            assert abs(len(labeled) - percent / 100 * (42 - len(val))) <= 2.5
            sizes.append(labeled)
        assert sizes[0] <= sizes[1] <= sizes[2]
    assert abs(len(val) - 0.2 * 42) <= 2.5
    said = capsys.readouterr().out
    assert f"val.json: {len(val)} images of {len(patients(val))} groups, sha256" in said
    made = json.loads((tmp_path / "splits/slices.1@10.json").read_text())["info"]["split"]
    assert (made["group_by"], made["val_percent"]) == (rule[1], "20")


def test_a_site_is_the_folder_of_its_images(slices, tmp_path, capsys):
    assert split("coco", slices, "--percent", 30, "--group-by", "folder") == 0
    labeled, others = parts(tmp_path / "splits", "1@30", "1@30-unlabeled")
    sites = [{name[0] for name in names} for names in (labeled, others)]
    assert sites[0] | sites[1] == set("abc") and not sites[0] & sites[1]
    said = capsys.readouterr().out
    assert f"{len(labeled)} images of 1 groups (13 asked for; groups stay whole)" in said


def test_the_validation_set_is_the_same_for_all_folds_and_has_its_labels(slices, tmp_path):
    split("coco", slices, "--count", 5, "--fold", 1, "--val-percent", 20, "--out", "one")
    split("coco", slices, "--count", 9, "--fold", 2, "--val-percent", 20, "--out", "two")
    (first,), (second,) = parts(tmp_path / "one", "val"), parts(tmp_path / "two", "val")
    assert first == second and len(first) == 8  # 20 % of 42; each image is a group
    data = read(tmp_path / "one" / "slices.val.json", "coco")
    assert all(record.instances for record in data.records)
    labeled, others = parts(tmp_path / "one", "1@5images", "1@5images-unlabeled")
    assert (len(labeled), len(others)) == (5, 29) and not (labeled | others) & first


def test_lists_of_label_maps_have_a_validation_list_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = miniature.cityscapes(tmp_path / "city")
    assert split("cityscapes", root, "--fraction", "1/4", "--val-percent", 25) == 0
    lines = (tmp_path / "splits" / "train.val.txt").read_text().splitlines()
    assert len(lines) == 4 and all(len(line.split()) == 2 for line in lines)
    record = json.loads((tmp_path / "splits" / "train.val.split.json").read_text())
    assert record["train.val.txt"]["images"] == 4
    assert len((tmp_path / "splits" / "train.1@1_4.txt").read_text().splitlines()) == 3


def test_without_groups_nothing_changes():
    """The order of single images is the one that published folds were drawn with."""
    names = [f"{n}.jpg" for n in range(20)]
    groups = Groups({name: name for name in names})
    few, many = (groups.draw(names, count, lambda _: (), 0, seed=0, fold=1) for count in (3, 11))
    assert (len(few), len(many)) == (3, 11) and many[:3] == few


def test_one_group_that_holds_everything_is_refused(slices, capsys):
    content = json.loads(slices.read_text())
    for image in content["images"]:
        image["hospital"] = "north"
    slices.write_text(json.dumps(content))
    assert split("coco", slices, "--percent", 10, "--group-by", "hospital") == 65
    said = capsys.readouterr().err
    assert "one group holds all images: found group 'north' with 42 images" in said
    assert split("coco", slices, "--percent", 100, "--group-by", "hospital") == 0


def test_a_large_group_is_never_all_that_there_is():
    """Of 2 groups with 9 and 1 images, 8 are asked for: one of the two stays unlabeled."""
    of = {f"{n}.png": "small" if n == 0 else "large" for n in range(10)}
    for fold in range(1, 9):
        drawn = Groups(of).draw(list(of), 8, lambda _: (), 0, seed=0, fold=fold)
        assert len(drawn) in (1, 9)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--group-by", "age"], "image without a group: found a/p00_slice_00.png (42 of 42"),
        (["--group-by", "(p0[0-9])_"], "a path in which the expression is found"),
        (["--group-by", "(p[0-9]+"], "unusable expression"),
        (["--group-by", "(?:p)"], "no group in parentheses"),
        (["--group-by", "age", "--groups", "patients.csv"], "a column 'age' beside the first one"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(slices, options, says, capsys):
    assert split("coco", slices, "--percent", 10, *options) == 65
    assert says in capsys.readouterr().err


def test_options_that_say_nothing_together(slices, capsys):
    assert split("coco", slices, "--percent", 10, "--groups", "patients.csv") == 2
    assert "name its column with --group-by" in capsys.readouterr().err
    lines = miniature.write_list(slices.parent / "mine.txt", ["p00_slice_00", "p00_slice_01"])
    assert split("coco", slices, "--list", lines, "--val-percent", 10) == 2


def test_a_list_that_divides_a_patient_is_refused(slices, capsys):
    whole = miniature.write_list(slices.parent / "whole.txt", ["p00_slice_00", "p00_slice_01"])
    part = miniature.write_list(slices.parent / "part.txt", ["p00_slice_00", "p01_slice_01"])
    assert split("coco", slices, "--list", whole, "--group-by", "patient") == 0
    assert split("coco", slices, "--list", part, "--group-by", "patient") == 65
    said = capsys.readouterr().err
    assert "group '0': a/p00_slice_00.png is in the list, a/p00_slice_01.png is not" in said
    draw = ["--labeled-from", part, "--count", 1, "--group-by", "patient", "--name", "x"]
    assert split("coco", slices, *draw) == 65


def test_a_table_names_images_by_path_name_or_stem(tmp_path):
    names = ["a/1.png", "b/1.png", "b/2.png"]
    table = tmp_path / "t.csv"
    table.write_text("file;video\na/1.png;x\nb/1;y\n2;y\n")
    assert group_images(names, "video", table=table).members == {"x": names[:1], "y": names[1:]}
    table.write_text("file;video\n1.png;x\n1.png;y\n2;y\n")
    with pytest.raises(DataError, match=r"found a/1.png \(2 of 3 images\)"):
        group_images(names, "video", table=table)
    with pytest.raises(DataError, match="neither a COCO file nor --groups"):
        group_images(names, "video")


def test_frames_of_each_video_are_evenly_apart():
    names = [f"{video}/{n:02d}.png" for video in "ab" for n in range(10)] + ["c/00.png"]
    groups = group_images(names, "folder")
    middle = ["a/02.png", "a/07.png", "b/02.png", "b/07.png", "c/00.png"]
    assert groups.spread(names, 2, fold=1) == middle
    # 0.5 + 0.618 is 0.118 of a stretch of five frames.
    assert groups.spread(names, 2, fold=2)[:2] == ["a/00.png", "a/05.png"]
    assert groups.spread(names, 99, fold=3) == names
    assert groups.spread(names[:10], 1, fold=1) == ["a/05.png"]


def test_the_command_labels_frames_of_each_group(slices, capsys):
    assert split("coco", slices, "--per-group", 2, "--group-by", "patient") == 0
    said = capsys.readouterr().out
    assert "1@2-per-group.json: " in said
    assert split("coco", slices, "--per-group", 2) == 2
    assert "with --group-by RULE" in capsys.readouterr().err
