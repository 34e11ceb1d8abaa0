"""Local contrast as a hook of the step."""

import math

import pytest
import torch

from ssdet.hooks import FixedThresholdHook, LocalContrastHook

from ...helpers import build_pair
from ...seg_helpers import build_seg, projecting, seg_batch, taken

NAME = "unsup_loss_local_contrast"


def pair(**settings):
    return projecting(dict(kernel=1), **settings)


def images(step, hook, name):
    return hook._images(step, step.model.auxiliary["representation"], name)


def test_the_mean_by_hand():
    """Two images of one pixel of class 1 each, at right angles; three classes beside class 0.

    Each anchor: ln(e^10 + e^0) - 10, and - 0 to the other image; by 3 classes and 2 terms.
    """
    hook = LocalContrastHook()
    _, step = taken(pair(), hook)
    one, other = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    label = torch.tensor([1])
    whole = math.log(math.exp(10) + 1)
    found = hook._contrast(step, [(one, label), (other, label)])
    assert found.item() == pytest.approx((whole - 10 + whole) / 6, abs=1e-5)
    assert hook._contrast(step, [(one, label)]).item() == pytest.approx(0, abs=1e-6)
    assert hook._contrast(step, []) == 0
    alone = LocalContrastHook(cross=False)
    assert alone._contrast(step, [(one, label), (other, label)]) == pytest.approx(0, abs=1e-6)


def test_each_image_is_compared_with_the_next_and_the_last_with_the_first():
    """Pixels of class 1 at 0, 90 and 180 degrees: cosines 0, 0 and -1 to the next one."""
    hook = LocalContrastHook(temperature=1.0)
    _, step = taken(pair(), hook)
    places = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[-1.0, 0.0]]])
    label = torch.tensor([1])
    right, straight = math.log(math.e + 1), math.log(math.e + 1 / math.e)
    expected = (2 * (2 * right - 1) + (2 * straight - 1 + 1)) / (3 * 3 * 2)
    found = hook._contrast(step, [(place, label) for place in places])
    assert found.item() == pytest.approx(expected, abs=1e-5)


def test_annotated_pixels_and_pseudo_labels_that_are_trained_on():
    batch = seg_batch()
    for sample in filter(None, batch["data_samples"]["sup"]):
        sample.gt_sem_seg.data[..., 16:] = 255
    hook = LocalContrastHook(background=None)
    _, step = taken(pair(), hook, batch=batch)
    size = step.pixel_features["sup"].shape[-1]
    assert {len(labels) for _, labels in images(step, hook, "sup")} == {size * size // 2}
    labels = step.targets["unsup_student"].labels
    assert sum(len(at) for _, at in images(step, hook, "unsup_student")) > 0
    step.targets["unsup_student"].weights[0] = 0
    (left,) = images(step, hook, "unsup_student")
    small = torch.nn.functional.interpolate(labels[:, None].float(), (size, size))[1, 0]
    assert torch.equal(left[1], small[small != 255].long().flatten())


def test_the_background_is_no_class():
    hook = LocalContrastHook()
    _, step = taken(pair(), hook)
    found = [labels for _, labels in images(step, hook, "sup")]
    assert found and all((labels > 0).all() for labels in found)


def test_who_learns_from_it():
    """The representation and what is below it; nothing that classifies, and no teacher."""
    model = pair()
    found, step = taken(model, LocalContrastHook())
    assert found[NAME] > 0 and step.log["local_contrast/images"] >= 2
    found[NAME].backward()
    for part in (model.auxiliary.representation, model.student.backbone):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())
    frozen = (model.student.decode_head.conv_seg, model.teacher)
    assert all(p.grad is None or not p.grad.any() for part in frozen for p in part.parameters())


def test_without_reliable_labels_the_annotated_images_are_left():
    found, step = taken(pair(), FixedThresholdHook(score=1.0), LocalContrastHook())
    only, _ = taken(pair(), LocalContrastHook(), batch=seg_batch(2, 0))
    assert found[NAME] > 0 and step.log["local_contrast/images"] <= 2
    assert found[NAME].item() == pytest.approx(only[NAME].item(), abs=1e-6)


def test_nothing_in_the_burn_in_and_every_parameter_is_connected():
    model = pair(burn_in=5)
    found, _ = taken(model, LocalContrastHook())
    found[NAME].backward()
    assert found[NAME] == 0
    assert all(p.grad is not None for p in model.auxiliary.representation.parameters())


def test_models_and_settings_that_cannot():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(LocalContrastHook())
    with pytest.raises(ValueError, match="auxiliary of the model has no 'representation'"):
        build_seg().attach(LocalContrastHook())
    with pytest.raises(ValueError, match="background=4 is none of the 4 classes"):
        pair().attach(LocalContrastHook(background=4))
    with pytest.raises(ValueError, match=r"LocalContrastHook: .*anchors"):
        LocalContrastHook(anchors=0)
    with pytest.raises(ValueError, match="kernel=2 is no odd number"):
        projecting(dict(kernel=2))
