"""How often a model is right by its scores: counts, curves, and what a page makes of them."""

import json

import numpy as np
import pytest

from ssdet.hooks._parts.drawing import save_jpeg
from ssdet.report import collect, read_run, render
from ssdet.report.quality import (
    best_threshold,
    class_scores,
    kept,
    precision_recall,
    reaching,
    read_quality,
    reliability,
)

from .fake import run_folder, write_lines

# Scores below 0.5: 8 predictions, 2 right; above: 6, of which 5 right. 10 objects.
COUNTS = {"truth": [6, 4], "proposed": [[4, 4], [4, 2]], "right": [[1, 3], [1, 2]]}


def test_curves_by_hand():
    assert precision_recall(COUNTS) == [(0.5, 5 / 6), (0.7, 0.5)]
    assert reliability(COUNTS, bins=2) == [(0.25, 0.25), (0.75, pytest.approx(5 / 6))]
    assert kept(COUNTS, [0.5, 0.5]) == (5 / 6, 0.5)
    assert kept(COUNTS, [0.5, 1.0]) == (0.75, 0.3), "a threshold for each class"
    assert kept(COUNTS, [1.0, 1.0]) == (None, 0.0)
    assert kept(COUNTS, [0.5, 0.5], pixels=True) == (0.875, 0.5), "the mean over the classes"
    assert reaching(COUNTS, 0.8) == 0.5 and reaching(COUNTS, 0.9) is None
    assert best_threshold(COUNTS) == 0.5  # F1 of 0.625, and 0.583 without a threshold


def test_scores_of_classes_by_hand():
    # The first class: a precision of 3/4 at a recall of 3/6, then 4/8 at 4/6.
    # The second one: 2/2 at 2/4, then 3/6 at 3/4.
    assert class_scores(COUNTS) == [pytest.approx(0.375 + 0.5 / 6), pytest.approx(0.5 + 0.125)]
    # A higher precision at a lower score counts from there on: 1/4 at 1/4, then 4/8 at 4/4.
    rising = {"truth": [4], "proposed": [[4, 4]], "right": [[3, 1]]}
    assert class_scores(rising) == [pytest.approx(0.5)]
    assert class_scores(COUNTS, pixels=True) == [4 / (8 + 6 - 4), 3 / (6 + 4 - 3)]
    assert class_scores({"truth": [0], "proposed": [[1]], "right": [[0]]}) == [None]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"models": {"teacher": {"truth": [1], "proposed": [[1], [2, 3]]}}}'],
)
def test_a_file_of_another_kind_is_no_quality(content, tmp_path):
    (tmp_path / "quality.json").write_text(content)
    assert read_quality(tmp_path) is None
    (tmp_path / "pseudo").mkdir()
    (tmp_path / "pseudo/worst.json").write_text('{"a": 1}')
    run = read_run(tmp_path)
    assert run.quality is None and run.worst == []
    assert [told.partition(":")[0] for told in run.problems if "left out" in told] == [
        "quality.json", "worst.json",
    ]  # fmt: skip


def test_the_page_draws_teacher_student_and_baseline(tmp_path):
    for name, role in (("b", "baseline"), ("s", "semi")):
        folder = run_folder(tmp_path / name, role=role, top=0.4)
        roles = ["teacher", "student"]
        content = {"iter": 400, "unit": "boxes", "classes": ["a", "b"]}
        models = {one: {k: [[v for v in row for _ in range(5)] for row in rows]
                        if k != "truth" else rows for k, rows in COUNTS.items()}
                  for one in roles}  # fmt: skip
        (folder / "quality.json").write_text(json.dumps({**content, "models": models}))
    page = render(collect([tmp_path]))
    part = page[page.index("<h4>Precision and recall") : page.index("<h4>Losses")]
    assert "Can the scores be trusted?" in part
    for name in ("teacher", "student", "baseline"):
        assert part.count(f'<i class="key {name}"></i>') == 2
    table = page[page.index("How good each class is") :]
    assert "AP at an overlap of 50 %" in table and "+0.0</td>" in table
    for chart in ("Learning rate", "Losses"):
        assert f"<h4>{chart}" in page


def test_worst_images_batches_and_followed_ones_are_shown(tmp_path):
    folder = run_folder(tmp_path / "semi")
    (folder / "pseudo").mkdir()
    black = np.zeros((8, 8, 3), np.uint8)
    panels = [{"file": f"worst_0_{view}.jpg", "view": view} for view in ("truth", "found")]
    lines = [
        {"iter": i, "number": "followed 0", "followed": 0, "image": "same.jpg", "unit": "boxes",
         "panels": [{"file": f"follow_0_{i}.jpg", "view": f"iteration {i}"}]}
        for i in (1, 2)
    ]  # fmt: skip
    files = [p["file"] for line in lines for p in line["panels"]] + [p["file"] for p in panels]
    for file in [*files, "batch_labeled.jpg"]:
        save_jpeg(folder / "pseudo" / file, black)
    write_lines(folder / "pseudo/gallery.jsonl", lines)
    worst = [{"image": "bad.jpg", "score": 0.25, "panels": panels}]
    (folder / "pseudo/worst.json").write_text(json.dumps(worst))
    page = render([read_run(folder)])
    assert "bad.jpg: 25% F1 of the boxes" in page and "What the teacher finds" in page
    assert "The same images over time" in page and page.count("same.jpg, iteration") == 2
    assert "A labeled batch, with its labels" in page and "An unlabeled batch" not in page
    assert page.count("data:image/jpeg") == 5
