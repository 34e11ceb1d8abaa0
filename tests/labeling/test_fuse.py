"""`ssdet fuse`: from files to a file."""

import json

import numpy as np
import pytest
from PIL import Image

from ssdet.cli import main
from ssdet.formats import read
from ssdet.labeling.fuse import fuse
from ssdet.labeling.fuse_sources import read_source

PLACE, NEAR, FAR = [0, 0, 20, 20], [0, 0, 20, 22], [40, 40, 10, 10]


def coco(path, images, classes=("cat", "dog")):
    """`images` maps a name to boxes (bbox, class, score)."""
    content = dict(images=[], annotations=[], categories=[])
    content["categories"] = [dict(id=5 + n, name=name) for n, name in enumerate(classes)]
    for number, (name, boxes) in enumerate(images.items()):
        content["images"].append(dict(id=number, file_name=name, width=64, height=64))
        for bbox, label, score in boxes:
            entry = dict(bbox=bbox, category_id=5 + classes.index(label), iscrowd=0)
            entry |= dict(id=len(content["annotations"]), image_id=number)
            content["annotations"].append(entry | ({} if score is None else dict(score=score)))
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def sources(tmp_path):
    """The first one is right, the second one finds phantoms and does not know `b.jpg`."""
    first = {"a.jpg": [(PLACE, "cat", 0.9)], "b.jpg": [(FAR, "dog", 0.8)]}
    second = {"a.jpg": [(NEAR, "cat", 0.6), (FAR, "dog", 0.9)]}
    return [
        coco(tmp_path / "first.json", first),
        coco(tmp_path / "second.json", second, ("dog", "cat")),
    ]


def boxes(path):
    content = json.loads(path.read_text())
    names = {one["id"]: one["file_name"] for one in content["images"]}
    classes = {one["id"]: one["name"] for one in content["categories"]}
    return [
        (names[one["image_id"]], classes[one["category_id"]], one["score"], one["bbox"])
        for one in content["annotations"]
    ]


def test_weighted_fusion_of_two_files(sources, tmp_path, capsys):
    out = tmp_path / "fused.json"
    assert main(["fuse", *map(str, sources), "--out", str(out)]) == 0
    assert boxes(out) == [
        ("a.jpg", "cat", 0.75, [0.0, 0.0, 20.0, 20.8]),  # (0.9 x 20 + 0.6 x 22) / 1.5
        ("a.jpg", "dog", 0.45, [40.0, 40.0, 10.0, 10.0]),
        ("b.jpg", "dog", 0.8, [40.0, 40.0, 10.0, 10.0]),  # only one source saw the image
    ]
    assert "2 images, 3 boxes of 2 classes (cat, dog)" in capsys.readouterr().out
    scores = [i.score for r in read(out, "coco").records for i in r.instances]
    assert scores == [0.75, 0.45, 0.8]


def test_what_a_source_is_worth(sources, tmp_path, capsys):
    truth = coco(tmp_path / "truth.json", {"a.jpg": [(PLACE, "cat", None)]})
    result = fuse(sources, tmp_path / "fused.json", truth=truth)
    first, second = result.worth
    assert (first.precision, first.recall, first.images) == (1.0, 1.0, 1)
    assert (second.precision, second.recall) == (0.5, 1.0)
    assert first.reliability.tolist() == pytest.approx([0.68, 0.6])  # all: 3/5; cats: (1 + 2.4)/5
    assert second.reliability[1] < second.reliability[0]
    arguments = ["fuse", *map(str, sources), "--truth", str(truth), "--force"]
    assert main([*arguments, "--out", str(tmp_path / "fused.json")]) == 0
    assert "on 1 labeled images precision 0.50, recall 1.00" in capsys.readouterr().out


def with_gaps(path, **gaps):
    """The file, in which an image says what is not labeled in it."""
    content = json.loads(path.read_text())
    for image in content["images"]:
        image |= gaps.get(image["file_name"][0], {})
    path.write_text(json.dumps(content))
    return path


def test_a_truth_with_gaps_judges_what_is_labeled_exhaustively(sources, tmp_path, capsys):
    """In `a.jpg` nobody looked for dogs, in `b.jpg` for nothing: no box there is wrong."""
    images = {"a.jpg": [(PLACE, "cat", None)], "b.jpg": []}
    truth = coco(tmp_path / "truth.json", images)
    first, second = fuse(sources, tmp_path / "a.json", truth=truth).worth
    assert (first.precision, second.precision) == (0.5, 0.5)
    with_gaps(truth, a=dict(exhaustive_category_ids=[5]), b=dict(complete=False))
    first, second = fuse(sources, tmp_path / "b.json", truth=truth).worth
    assert (first.precision, second.precision) == (1.0, 1.0)
    assert first.boxes.tolist() == first.objects.tolist() == [1, 0]
    assert first.images == 1
    with_gaps(truth, a=dict(exhaustive_category_ids=[]))
    assert main(["fuse", str(sources[0]), "--truth", str(truth), "--out", "c.json"]) != 0
    assert "truth with gaps" in capsys.readouterr().err


def test_a_truth_with_lists_of_lvis(sources, tmp_path):
    """Cats are labeled in `a.jpg`, so all of them; of dogs, neither found nor denied, nothing."""
    truth = coco(tmp_path / "truth.json", {"a.jpg": [(PLACE, "cat", None)]})
    with_gaps(truth, a=dict(neg_category_ids=[], not_exhaustive_category_ids=[]))
    _, second = fuse(sources, tmp_path / "a.json", truth=truth).worth
    assert second.boxes.tolist() == [1, 0] and second.precision == 1.0


def test_boxes_of_a_resized_copy_are_refused(sources, tmp_path, capsys):
    content = json.loads(sources[1].read_text())
    content["images"][0] |= dict(width=32, height=32)
    small = tmp_path / "small.json"
    small.write_text(json.dumps(content))
    for arguments in ([sources[0], small], [sources[0], "--truth", small]):
        assert main(["fuse", *map(str, arguments), "--out", str(tmp_path / "out.json")]) != 0
        error = capsys.readouterr().err
        assert "image of two sizes" in error and "32x32" in error and "64x64" in error
    assert not (tmp_path / "out.json").exists()


def test_votes_and_the_lowest_score(sources, tmp_path):
    out = tmp_path / "fused.json"
    assert [box[:2] for box in _fused(sources, out, mode="vote")] == [
        ("a.jpg", "cat"),
        ("b.jpg", "dog"),
    ]
    assert len(_fused(sources, out, mode="union")) == 3
    assert len(_fused(sources, out, min_score=0.5)) == 2


def _fused(sources, out, **how):
    fuse(sources, out, force=True, **how)
    return boxes(out)


def test_outlines_stay_with_their_boxes(tmp_path):
    path = coco(tmp_path / "a.json", {"a.jpg": [], "b.jpg": [(PLACE, "cat", 0.5)]})
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = outline = [[0, 0, 20, 0, 20, 20]]
    path.write_text(json.dumps(content))
    fuse([path], tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert written[0]["segmentation"] == outline


def test_lists_of_results(sources, tmp_path, capsys):
    results = tmp_path / "results.json"
    entry = dict(image_id=0, category_id=5, bbox=PLACE, score=0.25)
    results.write_text(json.dumps([entry]))
    source = read_source(results, sources[0])
    assert source.of("a.jpg") == slice(0, 1) and source.of("b.jpg") == slice(1, 1)
    assert source.corners.tolist() == [[0, 0, 20, 20]] and source.scores.tolist() == [0.25]
    assert main(["fuse", str(results), "--out", str(tmp_path / "out.json")]) != 0
    assert "--like FILE" in capsys.readouterr().err
    (tmp_path / "results.images.json").write_text(sources[0].read_text())
    assert len(read_source(results)) == 1
    results.write_text(json.dumps([{**entry, "image_id": 77}]))
    arguments = ["fuse", str(results), "--like", str(sources[0])]
    assert main([*arguments, "--out", str(tmp_path / "out.json")]) != 0
    assert "result that cannot be used" in capsys.readouterr().err


def test_ten_thousand_boxes_are_a_few_bytes_each(tmp_path):
    many = {f"{n}.jpg": [(PLACE, "cat", 0.5)] * 100 for n in range(100)}
    source = read_source(coco(tmp_path / "many.json", many))
    arrays = (source.corners, source.labels, source.scores)
    assert len(source) == 10_000 and sum(one.nbytes for one in arrays) == 28 * 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{first}", "{other}"], "sources without a common image"),
        (["{first}", "--truth", "{other}"], "source without a labeled image"),
        (["{first}", "--truth", "{birds}"], "truth of other classes"),
        (["nowhere.json"], "missing file"),
        (["{first}", "--iou", "2"], "--iou 2.0: not in 0 ... 1"),
        (["{first}", "--votes", "5"], "--votes 5"),
        (["{first}", "--mode", "majority"], "--classes N"),
        (["{first}", "--classes", "3"], "no folder; maps lie in one folder"),
    ],
)
def test_errors_say_what_is_wrong(sources, tmp_path, capsys, arguments, message):
    files = dict(
        first=sources[0],
        other=coco(tmp_path / "other.json", {"x/a.jpg": [(PLACE, "cat", 0.9)]}),
        birds=coco(tmp_path / "birds.json", {"a.jpg": [(PLACE, "bird", None)]}, ("bird",)),
    )
    given = [argument.format(**files) for argument in arguments]
    assert main(["fuse", *given, "--out", str(tmp_path / "fused.json")]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "fused.json").exists()


def test_an_existing_file_is_kept(sources, tmp_path, capsys):
    out = tmp_path / "fused.json"
    out.write_text("mine")
    assert main(["fuse", *map(str, sources), "--out", str(out)]) != 0
    assert "--force" in capsys.readouterr().err and out.read_text() == "mine"


# ---------------------------------------------------------------------- label maps


def maps(root, **given):
    for name, labels in given.items():
        path = root / "x" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(labels, np.uint8)).save(path)
    return str(root)


def loaded(path):
    with Image.open(path) as image:
        return np.asarray(image).tolist()


def test_majority_of_label_maps(tmp_path, capsys, monkeypatch):
    warned = []
    monkeypatch.setattr("ssdet.labeling.fuse_folders.warn", warned.append)
    folders = [
        maps(tmp_path / "one", a=[[0, 1, 1]], b=[[0, 0, 0]]),
        maps(tmp_path / "two", a=[[0, 1, 0]]),
        maps(tmp_path / "three", a=[[1, 255, 255]]),
    ]
    out = tmp_path / "out"
    assert main(["fuse", *folders, "--classes", "2", "--out", str(out)]) == 0
    assert loaded(out / "x" / "a.png") == [[0, 1, 255]]
    assert "1 label maps, 33.3 % of pixels unknown" in capsys.readouterr().out
    assert warned == ["1 maps are left out, as not every source has them: x/b.png..."]


def test_a_measured_precision_breaks_the_tie(tmp_path, capsys):
    folders = [
        maps(tmp_path / "one", a=[[0, 0, 1, 1]], b=[[0, 1]]),
        maps(tmp_path / "two", a=[[0, 1, 0, 1]], b=[[1, 0]]),
    ]
    truth = maps(tmp_path / "truth", a=[[0, 0, 1, 1]])
    out = tmp_path / "out"
    arguments = ["fuse", *folders, "--classes", "2", "--truth", truth, "--out", str(out)]
    assert main(arguments) == 0
    assert loaded(out / "x" / "b.png") == [[0, 1]]
    assert "precision 0.50, 0.50" in capsys.readouterr().out


def test_mean_of_probabilities(tmp_path):
    folders = []
    for name, share in (("one", 0.9), ("two", 0.4)):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "a.npy", np.array([[[share]], [[1 - share]]]))
        folders.append(str(folder))
    out = tmp_path / "out"
    assert main(["fuse", *folders, "--mode", "mean", "--classes", "2", "--out", str(out)]) == 0
    assert loaded(out / "a.png") == [[0]]


def test_dawid_and_skene_on_maps(tmp_path):
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, (64, 64))
    folders = []
    for name, rate in (("good", 0.9), ("fair", 0.6), ("poor", 0.5)):
        said = np.where(draw.random(truth.shape) < rate, truth, draw.integers(0, 3, truth.shape))
        folders.append(maps(tmp_path / name, a=said))
    right = {}
    for mode in ("majority", "dawid-skene"):
        out = tmp_path / mode
        arguments = ["fuse", *folders, "--mode", mode, "--classes", "3", "--out", str(out)]
        assert main(arguments) == 0
        right[mode] = (np.array(loaded(out / "x" / "a.png")) == truth).mean()
    assert right["dawid-skene"] > right["majority"] + 0.05


def test_confusions_are_counted_where_the_truth_is_known(tmp_path):
    """Two sources that confuse the classes alike outvote a fair one, until the truth tells."""
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 2, (64, 64))
    wrong = np.where(draw.random(truth.shape) < 0.9, 1 - truth, truth)
    fair = np.where(draw.random(truth.shape) < 0.8, truth, 1 - truth)
    said = dict(one=wrong, two=wrong, fair=fair)
    folders = [maps(tmp_path / name, a=one[:32], b=one[32:]) for name, one in said.items()]
    known = maps(tmp_path / "truth", a=truth[:32])
    right = {}
    for more in ([], ["--truth", known]):
        out = tmp_path / f"out{len(more)}"
        arguments = ["fuse", *folders, "--mode", "dawid-skene", "--classes", "2", *more]
        assert main([*arguments, "--out", str(out)]) == 0
        right[len(more)] = (np.array(loaded(out / "x" / "b.png")) == truth[32:]).mean()
    assert right[0] < 0.3 and right[2] > 0.85


def test_a_class_that_the_true_maps_do_not_show_stays(tmp_path, capsys):
    """True maps of some images need not have all classes, but must have a known pixel."""
    said = dict(a=np.zeros((64, 64)), b=np.eye(64))
    folders = [maps(tmp_path / name, **said) for name in ("one", "two")]
    known = maps(tmp_path / "truth", a=np.zeros((64, 64)))
    arguments = ["fuse", *folders, "--mode", "dawid-skene", "--classes", "2", "--truth", known]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert (np.array(loaded(tmp_path / "out" / "x" / "b.png")) == np.eye(64)).all()
    maps(tmp_path / "truth", a=np.full((64, 64), 255))
    assert main([*arguments, "--out", str(tmp_path / "other")]) == 2
    assert "none of the 2 maps has a true one with labels there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("one", "message"),
    [([[0, 7]], "value 7"), ([[0]], "maps of different sizes"), (None, "no .png in a source")],
)
def test_maps_that_do_not_fit_are_named(tmp_path, capsys, one, message):
    (tmp_path / "one").mkdir()
    first = maps(tmp_path / "one", **({} if one is None else dict(a=one)))
    second = maps(tmp_path / "two", a=[[0, 1]])
    arguments = ["fuse", second, first, "--classes", "2", "--out", str(tmp_path / "out")]
    assert main(arguments) != 0
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("real", [[[0]], [[0, 1, 1]]])
def test_true_maps_of_another_size_are_refused(tmp_path, capsys, real):
    """A single pixel would fit to any map, where NumPy decides."""
    given = [maps(tmp_path / name, a=[[0, 1]]) for name in ("one", "two")]
    more = ["--truth", maps(tmp_path / "truth", a=real), "--out", str(tmp_path / "out")]
    assert main(["fuse", *given, "--classes", "2", *more]) == 65
    told = capsys.readouterr().err
    assert "maps of different sizes" in told and f"as {tmp_path / 'truth' / 'x' / 'a.png'}" in told
