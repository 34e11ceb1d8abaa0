"""SemiVL's guidance as a hook of the step."""

import pytest
import torch
from torch import nn

from ssdet.hooks import CutMixHook, StepHook, TextGuidanceHook
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import PREPROCESSOR, build_seg, padded_from, seg_batch, tiny_fcn


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


class Labeler(nn.Module):
    """Always the class 2, with a probability that one says; remembers what it saw."""

    labels_classes = 4

    def __init__(self, probability):
        super().__init__()
        self.probability = probability

    def forward(self, images):
        self.images = images
        found = torch.full((len(images), 4, *images.shape[2:]), (1 - self.probability) / 3)
        found[:, 2] = self.probability
        return found


def taken(probability, *hooks, segmentor=None, batch=None, burn_in=0, **settings):
    torch.manual_seed(0)
    model, spy = build_seg(segmentor, burn_in=burn_in), Spy()
    model.auxiliary["clip"] = Labeler(probability)
    for one in (*hooks, TextGuidanceHook(**{"length": 100, **settings}), spy):
        model.attach(one)
    model.iteration = 25
    return losses(model, batch or seg_batch()), spy.step


def test_the_weight_fades_and_the_loss_is_that_of_the_labels():
    """A quarter of the way from .1 to 0: .075."""
    found, step = taken(0.95)
    logits = nn.functional.interpolate(
        step.outputs["unsup_student"], (32, 32), mode="bilinear", align_corners=False
    )
    expected = nn.functional.cross_entropy(logits, torch.full((2, 32, 32), 2))
    torch.testing.assert_close(found["unsup_loss_text"], 0.075 * expected)
    assert step.log["text/weight"] == pytest.approx(0.075) and step.log["text/kept"] == 1


def test_the_weight_is_that_of_the_iterations_behind_the_burn_in():
    _, step = taken(0.95, burn_in=5)
    assert step.log["text/weight"] == pytest.approx(0.08)


def test_views_have_their_shares():
    class Shares(StepHook):
        phase = Phase.LABEL

        def __init__(self, first, second):
            self.shares = dict(unsup_student=first, unsup_student_2=second)

        def before_student(self, step):
            step.shares.update(self.shares)

    found = []
    for shares in ((1.0, 0.0), (0.0, 1.0), (0.25, 0.75)):
        torch.manual_seed(2)
        batch = seg_batch(views=2)
        found.append(taken(0.95, Shares(*shares), batch=batch)[0]["unsup_loss_text"].item())
    assert found[0] != pytest.approx(found[1])
    assert found[2] == pytest.approx(0.25 * found[0] + 0.75 * found[1], rel=1e-5)


def test_labels_below_the_score_are_none():
    found, step = taken(0.88)
    assert found["unsup_loss_text"] == 0 and step.log["text/kept"] == 0
    found, _ = taken(0.88, score=0.8)
    assert found["unsup_loss_text"] > 0


def test_padding_has_no_label():
    _, step = taken(0.95, batch=padded_from(seg_batch(), 16))
    labels = step.targets["unsup_student"].extra_labels[:, 0]
    assert (labels[..., :16] == 2).all() and (labels[..., 16:] == 255).all()
    assert step.log["text/kept"] == 1, "a share of what is no padding"


def test_labels_are_cut_like_the_images():
    class Brightness(Labeler):
        def forward(self, images):
            found = torch.zeros(len(images), 4, *images.shape[2:])
            for number in range(len(images)):
                found[number, number] = 1
            return found

    torch.manual_seed(0)
    model, spy = build_seg(), Spy()
    model.auxiliary["clip"] = Brightness(1.0)
    for one in (CutMixHook(1.0, area=(0.4, 0.4)), TextGuidanceHook(length=10), spy):
        model.attach(one)
    losses(model, seg_batch())
    labels = spy.step.targets["unsup_student"].extra_labels[:, 0]
    assert sorted(labels[0].unique().tolist()) == sorted(labels[1].unique().tolist()) == [0, 1]


@pytest.mark.parametrize("turned", [False, True])
def test_the_labeler_sees_rgb_from_0_to_255(turned):
    cfg = tiny_fcn()
    cfg["data_preprocessor"] = {**PREPROCESSOR, "bgr_to_rgb": turned, "mean": [10.0, 20.0, 30.0]}
    batch = seg_batch()
    image = torch.arange(3, dtype=torch.uint8).view(3, 1, 1).expand(3, 32, 32) * 100  # blue is 0
    batch["inputs"]["unsup_teacher"] = [None, None, image, image]
    _, step = taken(0.95, segmentor=cfg, batch=batch)
    seen = step.model.auxiliary["clip"].images[0, :, 0, 0]
    torch.testing.assert_close(seen, torch.tensor([200.0, 100.0, 0.0]), atol=1e-3, rtol=0)


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="must be a DenseTextLabeler with names of its 4 classes"):
        build_seg().attach(TextGuidanceHook(length=5))
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(TextGuidanceHook(length=5))
    with pytest.raises(ValueError, match="length=0"):
        TextGuidanceHook(length=0)
