"""The rule by which stored pseudo labels are refined, by hand."""

import torch

from ssdet.thresholds.refinement import first_labels, refine_boxes, refine_labels

LABELS = torch.tensor([[0, 1, 1], [0, 2, 1]])
SCORES = torch.tensor([[0.99, 0.95, 0.89], [0.9, 0.99, 1.0]])
VALID = torch.tensor([[True, True, True], [True, True, False]])


def test_first_labels_need_a_score():
    found = first_labels(LABELS, SCORES, VALID, 0.9)
    assert found.tolist() == [[0, 1, 255], [0, 2, 255]]


def test_a_sure_region_inside_of_the_stored_object_is_no_news():
    stored = torch.tensor([[0, 1, 1], [0, 2, 2]])
    found, changed = refine_labels(stored, LABELS, SCORES, VALID, 0.99)
    assert not changed and found is stored


def test_news_overwrite_every_sure_pixel_and_no_other():
    stored = torch.tensor([[1, 255, 1], [255, 255, 2]])
    found, changed = refine_labels(stored, LABELS, SCORES, VALID, 0.99)
    # The sure background overwrites a stored object too; (0, 1), (1, 0) are not sure, (1, 2) is
    # not in the view.
    assert changed and found.tolist() == [[0, 255, 1], [255, 2, 2]]


def test_background_alone_is_no_news():
    stored = torch.tensor([[1, 1, 1], [1, 2, 1]])
    assert refine_labels(stored, LABELS, SCORES, VALID, 0.99)[1]
    assert not refine_labels(stored, LABELS, SCORES, VALID, 0.99, background=0)[1]


def t(*values):
    return torch.tensor(values)


def test_boxes_are_added_and_replaced_but_never_lost():
    stored = t(0, 1, 1), t(0.9, 0.995, 0.7)
    found = t(0, 0, 1, 0), t(0.99, 0.999, 0.99, 0.5)
    overlaps = torch.tensor(
        [
            [0.8, 0.0, 0.8, 0.0],  # replaced by the first; the third has another class
            [0.0, 0.0, 0.6, 0.0],  # surer than the third
            [0.0, 0.0, 0.4, 0.0],  # overlaps the third too little
        ]
    )
    stay, taken = refine_boxes(stored, found, overlaps, 0.99)
    assert stay.tolist() == [False, True, True]
    assert taken.tolist() == [True, True, False, False]


def test_a_found_box_must_beat_all_that_it_would_replace():
    stored = t(0, 0), t(0.5, 0.999)
    stay, taken = refine_boxes(stored, (t(0), t(0.99)), torch.full((2, 1), 0.7), 0.99)
    assert stay.tolist() == [True, True] and taken.tolist() == [False]


def test_nothing_stored_or_nothing_found():
    nothing = torch.zeros(0).long(), torch.zeros(0)
    stay, taken = refine_boxes(nothing, (t(0, 1), t(0.99, 0.5)), torch.zeros(0, 2), 0.9)
    assert stay.tolist() == [] and taken.tolist() == [True, False]
    stay, taken = refine_boxes((t(0), t(0.5)), nothing, torch.zeros(1, 0), 0.9)
    assert stay.tolist() == [True] and taken.tolist() == []
