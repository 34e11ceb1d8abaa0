"""ReCo as a hook of the step."""

import math

import pytest
import torch

from ssdet.hooks import FixedThresholdHook, RegionContrastHook
from ssdet.hooks.pixels.region_contrast import Pixels

from ...helpers import build_pair
from ...seg_helpers import build_seg, projecting, seg_batch, taken

NAME = "unsup_loss_region"


def contrast(hook, features, labels, hard):
    _, step = taken(projecting(), hook)
    features = torch.tensor(features, requires_grad=True)
    found = hook._contrast(step, Pixels(features, torch.tensor(labels), torch.tensor(hard)))
    return found, features


def test_two_regions_by_hand():
    """(1, 0) of class 1 among three pixels (0, 1) of class 3: 4 negatives at cosine 0, at 0.5.

    ln(e^2 + 4 e^0) - 2 for class 1, and 0 for class 3, which has no unsure pixel.
    """
    hook = RegionContrastHook(queries=2, negatives=4)
    features = [[1.0, 0.0], [0.0, 1.0], [0.0, 2.0], [0.0, 3.0]]
    found, _ = contrast(hook, features, [1, 3, 3, 3], [True, False, False, False])
    assert found.item() == pytest.approx((math.log(math.exp(2) + 4) - 2) / 2, abs=1e-5)


def test_a_class_is_pulled_to_the_mean_of_its_region():
    """(2, 0) and (0, 2): the mean is at cosine 0.7071 to the unsure one; negatives at -1."""
    hook = RegionContrastHook(queries=3, negatives=1)
    features = [[2.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]
    found, given = contrast(hook, features, [0, 0, 2], [True, False, False])
    near = math.sqrt(2)
    expected = (math.log(math.exp(near) + math.exp(-2)) - near) / 2
    assert found.item() == pytest.approx(expected, abs=1e-5)
    found.backward()  # the unsure pixel learns; neither the mean nor the negative does
    assert given.grad[0].any() and not given.grad[1:].any()


@pytest.mark.parametrize(
    ("labels", "hard"),
    [([1, 1], [True, True]), ([1, 2], [False, False])],
    ids=["one class", "all are sure"],
)
def test_nothing_to_learn(labels, hard):
    found, given = contrast(RegionContrastHook(), [[1.0, 0.0], [0.0, 1.0]], labels, hard)
    found.backward()
    assert found.item() == 0 and given.grad is not None


def test_similar_classes_give_more_negatives():
    """Shares softmax(2, 0): 88 % from the first region, each of its pixels as often."""
    hook = RegionContrastHook(queries=100, negatives=100)
    regions = [torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0]])]
    shares = torch.tensor([2.0, 0.0]).softmax(0)
    found = hook._negatives(regions, shares, torch.Generator().manual_seed(0))
    assert found.shape == (100, 100, 1)
    counts = [(found == value).float().mean().item() for value in (1, 2, 3)]
    assert counts == pytest.approx([0.4404, 0.4404, 0.1192], abs=0.02)


def test_no_negative_is_of_the_own_class():
    """Cosines 1 within a class, -1 to the other: an own negative would cost ln 2 at least."""
    hook = RegionContrastHook(queries=4, negatives=64, temperature=0.1)
    found, _ = contrast(hook, [[1.0, 0.0], [-1.0, 0.0]], [1, 2], [True, True])
    assert found.item() == pytest.approx(0, abs=1e-5)


def test_which_pixels_take_part():
    batch = seg_batch()
    for sample in filter(None, batch["data_samples"]["sup"]):
        sample.gt_sem_seg.data[..., 16:] = 255
    hook = RegionContrastHook(weak=0.5)
    model = projecting()
    _, step = taken(model, hook, batch=batch)
    projector = model.auxiliary["representation"]
    size = step.pixel_features["sup"].shape[-1]
    count = len(step.sup.samples)
    assert len(hook._pixels(step, projector, "sup").labels) == count * size * size // 2
    targets = step.targets["unsup_student"]
    targets.scores[:] = 0.4
    assert len(hook._pixels(step, projector, "unsup_student").labels) == 0
    targets.scores[0] = 0.5
    targets.valid[:] = True
    assert len(hook._pixels(step, projector, "unsup_student").labels) == size * size
    targets.valid[0, :16] = False
    assert len(hook._pixels(step, projector, "unsup_student").labels) == size * size // 2


def test_pixels_that_the_student_is_sure_of_do_not_learn():
    model = projecting()
    sure, unsure = RegionContrastHook(strong=0.0), RegionContrastHook(strong=1.0)
    _, step = taken(model, sure)
    projector = model.auxiliary["representation"]
    assert not sure._pixels(step, projector, "sup").hard.any()
    assert unsure._pixels(step, projector, "sup").hard.all()
    logits = torch.zeros_like(step.outputs["sup"])
    logits[:, 1] = 10.0  # sure that all pixels are of class 1
    step.outputs["sup"] = logits
    pixels = RegionContrastHook()._pixels(step, projector, "sup")
    assert torch.equal(pixels.hard, pixels.labels != 1) and pixels.hard.any()


def test_who_learns_from_it():
    """The representation and what is below it; nothing that classifies, and no teacher."""
    model = projecting()
    found, step = taken(model, FixedThresholdHook(score=0.9), RegionContrastHook(weak=0.0))
    assert found[NAME] > 0 and step.log["region_contrast/classes"] >= 2
    found[NAME].backward()
    for part in (model.auxiliary.representation, model.student.backbone):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())
    frozen = (model.student.decode_head.conv_seg, model.teacher)
    assert all(p.grad is None or not p.grad.any() for part in frozen for p in part.parameters())


def test_annotated_pixels_alone_are_enough():
    found, _ = taken(projecting(), RegionContrastHook(), batch=seg_batch(2, 0))
    assert found[NAME] > 0


def test_nothing_in_the_burn_in_and_every_parameter_is_connected():
    model = projecting(burn_in=5)
    found, _ = taken(model, RegionContrastHook())
    found[NAME].backward()
    assert found[NAME] == 0
    assert all(p.grad is not None for p in model.auxiliary.representation.parameters())


def test_models_and_settings_that_cannot():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(RegionContrastHook())
    with pytest.raises(ValueError, match="auxiliary of the model has no 'representation'"):
        build_seg().attach(RegionContrastHook())
    with pytest.raises(ValueError, match="queries=0"):
        RegionContrastHook(queries=0)
    with pytest.raises(ValueError, match=r"weak=1\.2"):
        RegionContrastHook(weak=1.2)
