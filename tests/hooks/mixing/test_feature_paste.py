"""Features of labeled objects, pasted."""

import pytest
import torch

from ssdet.hooks import FeaturePasteHook, StepHook
from ssdet.mixing.feature_paste import paste_region
from ssdet.teacher_student.phase import Phase

from ...families.detectors import small_config
from ...helpers import build_pair, instances, losses, multi_branch, pseudo, total
from ...seg_helpers import build_seg


def test_a_box_is_snapped_outwards_to_whole_cells():
    """Cells of 8 pixels: (9, 0, 17, 8) touches the columns 1 and 2 of the first row."""
    own, partner = torch.zeros(1, 4, 4), torch.ones(1, 4, 4)
    found = paste_region(own, partner, torch.tensor([[9.0, 0, 17, 8]]), (32, 32))
    assert found[0].nonzero().tolist() == [[0, 1], [0, 2]]
    assert not own.any(), "what came is not written to"


def test_an_object_in_its_own_map_changes_nothing():
    own = torch.randn(2, 5, 7)
    assert torch.equal(paste_region(own, own, torch.tensor([[3.0, 3, 30, 20]]), (40, 56)), own)


def test_a_smaller_partner_gives_what_it_has():
    found = paste_region(
        torch.zeros(1, 4, 4), torch.ones(1, 2, 3), torch.tensor([[0.0, 0, 32, 32]]), (32, 32)
    )
    assert found.sum() == 6 and found[0, :2, :3].all()


class Says(StepHook):
    """Two pseudo boxes, one of them where a labeled box lies; the step is kept."""

    phase = Phase.FILTER

    def __init__(self, first=(8, 8, 40, 38)):
        self.first = first

    def after_teacher(self, step):
        boxes = [self.first, [44, 44, 60, 60]]
        step.pseudo = [pseudo(boxes, [0.9, 0.9], [1, 2]) for _ in step.pseudo]
        self.step = step


def pasted(hook, says=None, **batch):
    says, model = says or Says(), build_pair()
    for one in (says, hook):
        model.attach(one)
    found = losses(model, multi_branch(**batch))
    return says.step, found


def test_objects_come_with_their_boxes_and_hide_others():
    step, found = pasted(FeaturePasteHook(prob=1.0))
    boxes = step.targets["unsup_student"][0].gt_instances
    assert boxes.bboxes.tolist() == [[44, 44, 60, 60], [8, 8, 40, 40]]
    assert boxes.labels.tolist() == [2, 0] and boxes.weight_cls.tolist() == [1, 1]
    assert found["feature_paste/objects"] == 1
    labeled, strong = (step.features[name] for name in ("sup", "unsup_student"))
    for own, other in zip(strong, labeled, strict=True):
        cell = 64 // own.shape[-1]
        place = 24 // cell  # the middle of the object
        assert any(torch.equal(own[0, :, place, place], one[:, place, place]) for one in other)
    corner = strong[0][0, :, -1, -1]  # coarse levels have a cell for all of the image
    assert not any(torch.equal(corner, one[:, -1, -1]) for one in labeled[0])
    labeled[0].retain_grad()
    total({name: value for name, value in found.items() if "unsup" in name}).backward()
    assert labeled[0].grad is None, "what is pasted teaches the labeled image nothing"


@pytest.mark.parametrize(("first", "stays"), [((10, 10, 20, 20), False), ((30, 8, 60, 40), True)])
def test_a_box_is_removed_by_the_share_of_it_that_is_covered(first, stays):
    """A small one inside of the object, and a third of a large one."""
    step, _ = pasted(FeaturePasteHook(prob=1.0), Says(first))
    labels = step.targets["unsup_student"][0].gt_instances.labels.tolist()
    assert labels == ([1, 2, 0] if stays else [2, 0])


class Mixes(StepHook):
    """A hook that mixes pictures, listed behind: it keeps the boxes that it finds."""

    phase = Phase.MIX

    def before_student(self, step):
        self.boxes = step.targets["unsup_student"][0].gt_instances


def test_what_mixes_pictures_finds_no_box_that_they_do_not_show():
    mixes, model = Mixes(), build_pair()
    for hook in (Says(), FeaturePasteHook(prob=1.0), mixes):
        model.attach(hook)
    assert losses(model, multi_branch())["feature_paste/objects"] == 1
    assert mixes.boxes.labels.tolist() == [1, 2]


def test_without_luck_or_labels_nothing_is_pasted():
    for hook, batch in ((FeaturePasteHook(prob=0.0), {}), (FeaturePasteHook(1.0), dict(sup=0))):
        step, found = pasted(hook, **batch)
        assert len(step.targets["unsup_student"][0].gt_instances) == 2
        assert "feature_paste/objects" not in found


def test_an_object_outside_of_the_view_is_left_out():
    says, model = Says(), build_pair()
    for one in (says, FeaturePasteHook(prob=1.0)):
        model.attach(one)
    batch = multi_branch(sup=1, unsup=1)
    batch["data_samples"]["sup"][0].gt_instances = instances([(50, 8, 64, 40)])
    for sample in batch["data_samples"]["unsup_student"]:
        if sample is not None:
            sample.set_metainfo(dict(img_shape=(60, 60)))
    batch["inputs"]["unsup_student"][1] = batch["inputs"]["unsup_student"][1][:, :60, :60]
    found = losses(model, batch)
    assert "feature_paste/objects" not in found


def test_other_models_are_refused():
    with pytest.raises(TypeError, match="FeaturePasteHook: pastes objects"):
        build_seg().attach(FeaturePasteHook())
    with pytest.raises(TypeError, match="a MaskRCNN learns masks, too"):
        build_pair(small_config("mask_rcnn")).attach(FeaturePasteHook())
    with pytest.raises(ValueError, match="FeaturePasteHook: objects=0"):
        FeaturePasteHook(objects=0)
