"""The page: every kind of finding is shown, with its picture and its words."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from ssdet.doctor.pictures import Picture
from ssdet.labeling.audit import Audit, Boxes, Choice, Odd, Shift, Suspect, Twins, as_json, render
from ssdet.labeling.audit.findings import Look
from ssdet.labeling.audit.words import next_steps, story

USUAL = (100.0, 50.0, 20.0, 3.0, 9.7, 0.0)
HERE, THERE = (2.0, 2.0, 12.0, 12.0), (4.0, 4.0, 16.0, 16.0)


def look(role, path, **more):
    picture = np.full((20, 30, 3), 90, np.uint8)
    source = SimpleNamespace(role=role, read=lambda place: SimpleNamespace(picture=picture))
    return Look(source, 0, path, np.ones(2), Picture(1, 0.0, ".png", USUAL), **more)


@pytest.fixture
def everything():
    """An audit with one finding of each kind."""
    boxes = Boxes(np.array([HERE]), np.array([1]), np.array([0.6]))
    known, new = look("labeled", "l.png"), look("unlabeled", "u.png", found=boxes)
    val = look("validation", "v.png")
    new.criteria = dict(faithfulness=0.5, robustness=0.5, confidence=0.6)
    kinds = [
        Suspect("swapped", 0.9, 0, 1, HERE, HERE, 0),
        Suspect("badly placed", 0.5, 0, 0, HERE, THERE, 1),
        Suspect("overlooked", 0.8, None, 1, THERE, seen_by=2),
        Suspect("unsupported", 0.2, 1, None, HERE, number=2),
    ]
    for suspect in kinds:
        suspect.where, suspect.judges = known, 2
    result = Audit("<config>.py", ["a.pth", "b.pth"], ("cat", "<dog>"), False)
    result.images = {"labeled": 1, "unlabeled": 1, "validation": 1}
    result.choices = [Choice(new, 0.5, 0.25, ["the <first> reason"])]
    result.suspects = kinds
    result.objects, result.missed = np.array([4, 2]), np.array([1, 0])
    result.twins = [Twins(known, val), Twins(known, new)]
    result.odd = [Odd("foreign", new, 5.0), Odd("pattern", new, 7.0)]
    result.shift, result.differs = Shift(2.0, 0.5, 0.01), ["less brightness"]
    return result


def test_every_finding_is_on_the_page(everything):
    page = render(everything, "out", "ssdet audit <config>.py")
    for words in (
        "labeled cat, seen as &lt;dog&gt; by 1 of 2 checkpoints",
        "cat, seen in another place or size",
        "&lt;dog&gt; without a label by 2 of 2 checkpoints",
        "labeled &lt;dog&gt;, nothing seen",
        "the &lt;first&gt; reason",
        "Leaks <small>(1)</small>",
        "Images that look alike <small>(1)</small>",
        "of another kind: 5.0 deviations",
        "a repeated pattern, 7.0 deviations",
        "less brightness",
        "out/label-next.txt",
    ):
        assert words in page, words
    assert "<dog>" not in page and "<first>" not in page
    assert len(re.findall(r'<img src="data:image/jpeg;base64,', page)) == 1 + 4 + 2 * 2 + 2
    # Of 4 labels of the first class one is not found again.
    assert re.search(r"cat</th><td>4</td><td>75%</td><td>1</td><td>1</td><td>0</td>", page)


def test_sentences_count_what_is_sure(everything):
    told = story(everything)
    assert "1 labeled, 1 unlabeled and 1 validation images" in told
    assert "3 labels to look at again" in told  # the fourth has a score of 0.2
    assert "1 leak into the validation data" in told
    steps = next_steps(everything, "out")
    assert steps[0].startswith("Take 1 image out of the validation data")
    assert steps[-1].startswith("Label the images of out/label-next.txt")


def test_programs_read_the_same(everything):
    content = as_json(everything)
    assert [one["kind"] for one in content["labels"]] == [
        "swapped", "badly placed", "overlooked", "unsupported",
    ]  # fmt: skip
    assert content["labels"][0]["given"] == "cat" and content["labels"][0]["suggested"] == "<dog>"
    assert content["label_next"][0]["distance"] == 0.25
    assert content["look_alike"][0]["leak"] and not content["look_alike"][1]["leak"]
    assert content["shift"]["frechet_distance"] == 2.0


def test_regions_of_label_maps_are_drawn(everything):
    region = Suspect("region", 0.7, 0, 1, HERE, number=50)
    region.mask, region.where = np.ones((10, 10), bool), everything.choices[0].look
    everything.pixels, everything.suspects = True, [region]
    everything.confusion = np.array([[90, 10], [0, 50]])
    page = render(everything, "out")
    assert "50 pixels labeled cat, seen as &lt;dog&gt;" in page
    assert re.search(r"cat</th><td>4</td><td>90%</td><td>&lt;dog&gt; \(10%\)</td><td>1</td>", page)
