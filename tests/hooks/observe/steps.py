"""Steps made by hand: what a teacher said, and what hooks made of it."""

import json

import torch
from mmdet.structures import DetDataSample

from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS, LOW
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...helpers import instances, pseudo

SIZE = (32, 48)


def views(values=(100.0,), padding=0):
    """Views of one color, normalized as the helpers' preprocessor does, padded at the right."""
    inputs = [torch.full((3, SIZE[0], SIZE[1] + padding), (v - 127.0) / 64.0) for v in values]
    samples = [
        DetDataSample(metainfo=dict(img_shape=SIZE, img_path=f"/data/{i}.png"))
        for i in range(len(values))
    ]
    return Views(torch.stack(inputs), samples)


def box_step(model, iteration=0):
    """One image: a box kept, one half trusted, one ignored (classes 0, 1, 2), one dropped (1)."""
    places = [(2, 2, 12, 12), (20, 2, 30, 12), (2, 18, 12, 28), (30, 18, 40, 28)]
    found = pseudo(places, [0.9, 0.7, 0.5, 0.2], [0, 1, 2, 1])
    found.level[1], found.level[2] = AMBIGUOUS, LOW
    step = Step(model, iteration, weak=views(), strong={"unsup_student": views([60.0], 16)})
    step.pseudo, step.dropped = [found], [{}]
    step.drop(0, torch.tensor([False, False, False, True]), "score")
    target = DetDataSample(metainfo=dict(img_shape=SIZE))
    target.gt_instances = step.pseudo[0][step.pseudo[0].level >= AMBIGUOUS]
    target.ignored_instances = instances([places[2]])
    step.targets = {"unsup_student": [target]}
    return step


def pixel_step(model, iteration=0):
    """Upper half of class 1, lower half of class 0; the left half kept, the last column invalid."""
    labels = torch.zeros(1, *SIZE, dtype=torch.long)
    labels[:, :16] = 1
    weights = torch.zeros(1, *SIZE)
    weights[..., :24] = 1.0
    valid = torch.ones(1, *SIZE, dtype=torch.bool)
    valid[..., -1] = False
    said = PixelLabels(labels, torch.full_like(weights, 0.75), weights, valid)
    step = Step(model, iteration, weak=views(), strong={"unsup_student": views([60.0])})
    step.pseudo, step.targets, step.dropped = said, {"unsup_student": said}, [{}]
    return step


def lines(folder, name):
    path = folder / "pseudo" / name
    return [json.loads(t) for t in path.read_text().splitlines()] if path.is_file() else []
