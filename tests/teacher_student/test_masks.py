"""Masks of pseudo objects on their way from the weak into the strong view, drawn by hand."""

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks

from ssdet.engine.configs import load_config
from ssdet.hooks import CopyPasteHook, StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import LOW
from ssdet.teacher_student.step import Step, Views

from ..helpers import build_pair, losses, multi_branch, pseudo, sample, total

WIDTH, HEIGHT = 8, 6
#  An L: its upright on the left, its foot to the right.
L = [
    "........",
    ".#......",
    ".#......",
    ".###....",
    "........",
    "........",
]


def drawn(rows):
    return torch.tensor([[sign == "#" for sign in row] for row in rows])


@pytest.fixture(scope="module")
def model():
    return build_pair()


def moved(model, homography, shape=(HEIGHT, WIDTH), masks=(L,), boxes=([1, 1, 4, 4],), **meta):
    """The objects after the transfer; the weak view is the original frame."""
    found = pseudo(list(boxes), [0.9] * len(boxes))
    found.masks = torch.stack([drawn(mask) for mask in masks])
    for key, value in meta.items():
        found[key] = torch.tensor(value)
    weak = Views(torch.zeros(1, 3, HEIGHT, WIDTH), [sample((HEIGHT, WIDTH))])
    strong = Views(torch.zeros(1, 3, *shape), [sample(shape, homography=homography)])
    step = Step(model, 0, weak=weak, strong={"unsup_student": strong}, pseudo=[found])
    return model.transfer(step)["unsup_student"][0]


def shown(target):
    return ["".join(".#"[pixel] for pixel in row) for row in target.gt_instances.masks.masks[0]]


def test_the_same_frame(model):
    assert shown(moved(model, np.eye(3))) == L


def test_flip(model):
    target = moved(model, [[-1, 0, WIDTH], [0, 1, 0], [0, 0, 1]])
    assert shown(target) == [
        "........",
        "......#.",
        "......#.",
        "....###.",
        "........",
        "........",
    ]
    assert target.gt_instances.bboxes.tolist() == [[4, 1, 7, 4]]


def test_scaled_by_two_and_shifted_into_a_larger_view(model):
    target = moved(model, [[2, 0, 1], [0, 2, -2], [0, 0, 1]], shape=(8, 12))
    assert shown(target) == [
        "...##.......",
        "...##.......",
        "...##.......",
        "...##.......",
        "...######...",
        "...######...",
        "............",
        "............",
    ]
    assert target.gt_instances.bboxes.tolist() == [[3, 0, 9, 6]]
    masks = target.gt_instances.masks
    assert (masks.height, masks.width) == (8, 12) and masks.masks.dtype == np.uint8


def test_a_quarter_turn(model):
    # (x, y) -> (6 - y, x): what was on the left is on top, the foot points down.
    target = moved(model, [[0, -1, HEIGHT], [1, 0, 0], [0, 0, 1]], shape=(WIDTH, HEIGHT))
    assert shown(target) == [
        "......",
        "..###.",
        "..#...",
        "..#...",
        "......",
        "......",
        "......",
        "......",
    ]
    assert target.gt_instances.bboxes.tolist() == [[2, 1, 5, 4]]


def test_what_leaves_the_view_is_cut(model):
    target = moved(model, [[1, 0, -2], [0, 1, 0], [0, 0, 1]])
    assert shown(target)[3] == "##......" and target.gt_instances.masks.masks.sum() == 2
    assert target.gt_instances.bboxes.tolist() == [[0, 1, 2, 4]]


def test_an_object_whose_mask_is_not_in_view_is_gone(model):
    upright = [row.replace("###", "#..") for row in L]  # in the left third of its box
    target = moved(
        model, [[1, 0, -2], [0, 1, 0], [0, 0, 1]], masks=(upright, L), boxes=([1, 1, 4, 4],) * 2
    )
    assert len(target.gt_instances) == len(target.gt_instances.masks.masks) == 1
    assert target.gt_instances.masks.masks.sum() == 2


def test_unsure_objects_are_regions_and_masks_belong_to_the_others(model):
    other = [row[::-1] for row in L]
    target = moved(
        model, np.eye(3), masks=(L, other), boxes=([1, 1, 4, 4], [4, 1, 7, 4]), level=[LOW, 2]
    )
    assert target.ignored_instances.bboxes.tolist() == [[1, 1, 4, 4]]
    assert shown(target) == other and len(target.gt_instances) == 1


def test_nothing_found(model):
    found = pseudo([], [])
    found.masks = torch.zeros(0, HEIGHT, WIDTH, dtype=torch.bool)
    weak = Views(torch.zeros(1, 3, HEIGHT, WIDTH), [sample((HEIGHT, WIDTH))])
    flipped = [[-1, 0, WIDTH], [0, 1, 0], [0, 0, 1]]
    strong = Views(torch.zeros(1, 3, 8, 8), [sample((8, 8), homography=flipped)])
    step = Step(model, 0, weak=weak, strong={"unsup_student": strong}, pseudo=[found])
    target = model.transfer(step)["unsup_student"][0]
    assert len(target.gt_instances) == 0 and target.gt_instances.masks.masks.shape == (0, 8, 8)


# ---------------------------------------------------------------------- Mask R-CNN


def mask_rcnn(**settings):
    """The Mask R-CNN of the demo."""
    detector = load_config("copy_paste/mask-rcnn_demo.py").model.detector
    return build_pair(detector, **settings)


class Says(StepHook):
    """Replaces what the teacher said by one square with a mask."""

    phase = Phase.LABEL

    def __init__(self, weight=1.0):
        self.weight = weight

    def after_teacher(self, step):
        found = pseudo([[16, 16, 48, 48]], [0.9], [1])
        found.masks = torch.zeros(1, 64, 64, dtype=torch.bool)
        found.masks[:, 16:32, 16:48] = True
        found.weight_box = found.weight_box * self.weight
        step.pseudo[:] = [found]


def test_pseudo_masks_are_learned_with_their_weight():
    batch, found = multi_branch(sup=0, unsup=1), {}
    for weight in (1.0, 0.25):
        torch.manual_seed(2)
        model = mask_rcnn()
        model.attach(Says(weight))
        found[weight] = losses(model, batch)["unsup_loss_mask"]
    assert found[1.0] > 0
    assert torch.allclose(found[0.25], found[1.0] * 0.25, rtol=1e-4)
    found[0.25].sum().backward()
    head = model.student.roi_head.mask_head
    assert all(p.grad is not None and p.grad.any() for p in head.convs.parameters())


def test_the_mask_head_fits_a_pseudo_mask():
    """After some steps on one picture the student says the pseudo mask, and not its box."""
    torch.manual_seed(0)
    model = mask_rcnn()
    model.attach(Says())
    batch = multi_branch(sup=0, unsup=1)
    optimizer = torch.optim.AdamW(model.student.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        total(losses(model, batch)).backward()
        optimizer.step()
    views = Views(model.data_preprocessor(batch, True)["inputs"]["unsup_student"], [sample()])
    model.copy_student()
    mask = model.label(views)[0][:1].masks[0]
    assert mask.shape == (64, 64)
    assert mask[18:30, 18:46].float().mean() > 0.7 and mask[36:47, 18:46].float().mean() < 0.1


def test_masks_of_the_teacher_lie_in_the_frame_of_the_view():
    """Not in that of the file, which may be of another size."""
    model = mask_rcnn()
    with torch.no_grad():
        model.teacher.roi_head.mask_head.conv_logits.bias.fill_(20.0)  # all of the box
    one = sample((64, 48))
    one.set_metainfo(dict(ori_shape=(128, 96), scale_factor=(0.5, 0.5)))
    model.teacher.test_cfg.rcnn.score_thr = 0.0
    model.teacher.roi_head.test_cfg.score_thr = 0.0
    found = model.label(Views(torch.randn(1, 3, 64, 64), [one]))[0]
    assert len(found) > 0 and found.masks.shape[1:] == (64, 48)
    for box, mask in zip(found.bboxes, found.masks, strict=True):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        if len(rows):
            tight = torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
            assert (tight - box).abs().max() < 2


def test_copy_paste_of_annotated_masks_in_a_step():
    model = mask_rcnn()
    model.attach(Says())
    model.attach(CopyPasteHook("bidirectional", prob=1.0))
    batch = multi_branch(sup=1, unsup=1)
    gt = batch["data_samples"]["sup"][0].gt_instances
    gt.masks = BitmapMasks(np.ones((1, 64, 64), np.uint8), 64, 64)
    found = losses(model, batch)
    assert torch.isfinite(total(found))
    assert found["copy_paste/objects"] == 2 and found["unsup_loss_mask"] > 0
