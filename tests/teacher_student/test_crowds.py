"""Annotated groups: regions without a loss, or background as in MMDetection."""

import copy

import pytest
import torch
from mmengine.structures import InstanceData

from ssdet.hooks._parts.paste_objects import ObjectPaste
from ssdet.teacher_student.weights.boxes import leave_to_detector, regions_of

from ..families.detectors import build, initialized, sample, small_config
from ..helpers import build_pair, image, multi_branch

OBJECT, CROWD = (4, 4, 30, 30), (34, 34, 62, 62)


def annotated(ignored=(CROWD,)):
    torch.manual_seed(0)
    batch = multi_branch(sup=1, unsup=0)
    batch["inputs"]["sup"] = [image()]
    batch["data_samples"]["sup"] = [sample([OBJECT], ignored=ignored)]
    return batch


def supervised(model, batch):
    """The losses of a batch with labels, the same proposals drawn each time."""
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    torch.manual_seed(1)
    return {k: v for k, v in model(**data, mode="loss").items() if "loss" in k}


def same(one, other):
    def values(found):
        return [
            torch.as_tensor(x) for v in found.values() for x in (v if isinstance(v, list) else [v])
        ]

    return all(torch.equal(a, b) for a, b in zip(values(one), values(other), strict=True))


@pytest.mark.parametrize("family", ["retinanet", "fcos", "faster_rcnn"])
@pytest.mark.parametrize("crowd", ["ignore", "background"])
def test_supervised_losses_with_a_crowd(family, crowd):
    model = build_pair(small_config(family), crowd=crowd)
    initialized(model)
    plain = build(family)
    plain.load_state_dict(model.student.state_dict())
    with_crowd, without = annotated(), annotated(ignored=())
    data = model.data_preprocessor(copy.deepcopy(with_crowd), True)
    torch.manual_seed(1)
    mmdet = plain(data["inputs"]["sup"], data["data_samples"]["sup"], mode="loss")
    mmdet = {name: value for name, value in mmdet.items() if "loss" in name}
    found = supervised(model, with_crowd)
    assert same(supervised(model, without), mmdet)  # MMDetection does not see the crowd
    assert same(found, mmdet) == (crowd == "background")


def test_ignoring_is_the_default_and_others_are_refused():
    assert build_pair().crowd == "ignore"
    with pytest.raises(ValueError, match="crowd='none' is not one of"):
        build_pair(crowd="none")


def test_regions_that_a_hook_pastes_over_a_crowd_stay_regions():
    """An unsure region comes with what is pasted; the crowd below stays background."""
    below, above = sample([OBJECT], ignored=[CROWD]), sample([OBJECT], ignored=[CROWD])
    leave_to_detector(below.ignored_instances)
    assert regions_of(below) is None and regions_of(above) is not None
    assert regions_of(sample([OBJECT])) is None
    hook = ObjectPaste("CopyPasteHook", "bidirectional")
    everywhere = torch.ones(64, 64, dtype=torch.bool)
    assert hook._ignored(below, everywhere).tolist() == []
    assert hook._ignored(above, everywhere).tolist() == [list(map(float, CROWD))]


def test_the_mark_travels_with_a_choice_of_the_boxes():
    ignored = InstanceData(bboxes=torch.zeros(2, 4))
    leave_to_detector(ignored)
    one = sample([OBJECT])
    one.ignored_instances = ignored[torch.tensor([True, False])]
    assert regions_of(one) is None
