"""Cross prompting: who asks what, who learns the answer, and when nothing changes."""

import pytest
import torch

from ssdet.hooks import CrossPromptHook, CrossSupervisionHook, StepHook, TeacherEMAHook
from ssdet.hooks.networks.cross_prompt import prompts_of
from ssdet.labels import IGNORE
from ssdet.models.hf_promptable import INSIDE, NO_POINT, OUTSIDE
from ssdet.teacher_student.phase import Phase
from ssdet.thresholds import components

from ...contract import loop  # noqa: F401  # registers a promptable model
from ...helpers import losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn

SIZE = (32, 32)
FROZEN = dict(model=dict(type="PromptedForTests", num_classes=4), beside_twin=True)
# What either network says: class, x1, y1, x2, y2.
OWN, OTHER = (1, 8, 8, 16, 16), (2, 20, 20, 28, 28)


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def build(*hooks, **settings):
    torch.manual_seed(0)
    model = build_seg(tiny_fcn(), auxiliary=dict(second=tiny_fcn()), teacher=FROZEN, **settings)
    spy, label = Spy(), model.label
    for hook in (TeacherEMAHook(0.0), *hooks, spy):
        model.attach(hook)

    def said(views, network=None, needs=None):
        found = label(views, network, needs)
        second = network is model.auxiliary["second"]
        value, x1, y1, x2, y2 = OTHER if second else OWN
        found.labels = torch.zeros_like(found.labels)
        found.labels[:, y1:y2, x1:x2] = value
        found.scores = torch.full_like(found.scores, 0.95)
        return found

    model.label = said
    return model, spy


def rectangle(value, x1, y1, x2, y2):
    labels = torch.zeros(2, *SIZE, dtype=torch.long)
    labels[:, y1:y2, x1:x2] = value
    return labels


def step_of(*hooks):
    model, spy = build(*hooks)
    torch.manual_seed(1)
    found = losses(model, seg_batch(sup=1))
    return found, spy.step


def test_each_network_learns_what_the_frozen_one_makes_of_the_other():
    """It answers with the 9 x 9 pixels around the core (11, 11) and (23, 23): IoU 64/81."""
    found, step = step_of(CrossPromptHook())
    assert torch.equal(step.pseudo.labels, rectangle(2, 19, 19, 28, 28))
    assert torch.equal(step.pseudo.extra_labels[:, 0], rectangle(1, 7, 7, 16, 16))
    assert step.pseudo.scores[0, 19, 19].item() == pytest.approx(0.9)
    assert found["prompts/asked"] == found["prompts/believed"] == 1
    assert found["prompts/changed"].item() == pytest.approx((81 - 64) / 1024)
    assert found["unsup_decode.loss_ce"] > 0 < found["unsup_second_decode.loss_ce"]


def test_nobody_learns_contested_pixels_where_asked():
    _, step = step_of(CrossPromptHook(contested="ignore"))
    pseudo, (value, *corners) = step.pseudo, OTHER
    contested = (rectangle(1, 19, 19, 28, 28) - rectangle(1, *corners)).bool()
    assert contested.sum() == 2 * (81 - 64)
    assert not pseudo.weights[contested].any() and pseudo.weights[~contested].all()
    assert torch.equal(pseudo.labels[~contested], rectangle(value, *corners)[~contested])
    own = pseudo.extra_labels[:, 0]
    theirs = (rectangle(1, 7, 7, 16, 16) - rectangle(1, *OWN[1:])).bool()
    assert (own[theirs] == IGNORE).all() and (own[~theirs] != IGNORE).all()


@pytest.mark.parametrize("settings", [dict(quality=0.95), dict(seed_score=0.96), dict(overlap=0.8)])
def test_without_a_believed_answer_it_is_cross_supervision(settings):
    found, step = step_of(CrossPromptHook(**settings))
    plain, before = step_of(CrossSupervisionHook())
    assert found["prompts/believed"] == 0
    assert torch.equal(step.pseudo.labels, before.pseudo.labels)
    assert torch.equal(step.pseudo.extra_labels, before.pseudo.extra_labels)
    for name, value in plain.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(found[name])), name


def test_what_is_asked():
    """The core of a part; the cores of other classes are beside it, those of its own are not."""
    labels = rectangle(*OWN)[0]
    labels[20:28, 20:28], labels[20:28, 0:8] = 2, 1
    parts = components(
        labels, torch.ones(SIZE, dtype=torch.bool), background=0, min_area=1, most=10
    )
    assert [one.label for one in parts] == [1, 1, 2]
    both = prompts_of(parts, "both", labels.device)
    assert both.signs.tolist() == [
        [INSIDE, NO_POINT, NO_POINT, OUTSIDE],
        [INSIDE, NO_POINT, NO_POINT, OUTSIDE],
        [INSIDE, OUTSIDE, OUTSIDE, NO_POINT],
    ]
    cores = [list(map(float, one.point)) for one in parts]
    assert both.points[:, 0].tolist() == cores and both.points[2, 1:].tolist() == cores
    assert both.boxes.tolist() == [list(one.box) for one in parts]
    assert prompts_of(parts, "point", labels.device).boxes is None
    assert not (prompts_of(parts, "box", labels.device).signs == OUTSIDE).any()
    assert len(prompts_of([], "both", labels.device)) == 0


def test_models_that_cannot_be_asked_are_refused():
    with pytest.raises(ValueError, match="there is no network 'second'"):
        build_seg().attach(CrossPromptHook())
    model = build_seg(tiny_fcn(), auxiliary=dict(second=tiny_fcn()))
    with pytest.raises(ValueError, match="there is no model that can be asked; set teacher="):
        model.attach(CrossPromptHook())
    with pytest.raises(ValueError, match="background=4, but the model has 4 classes"):
        build(CrossPromptHook(background=4))
    with pytest.raises(ValueError, match="prompt='mask' is not one of"):
        CrossPromptHook(prompt="mask")


def test_a_small_sam_as_the_model_that_is_asked():
    pytest.importorskip("transformers")
    from ...models.test_hf_promptable import SAM

    torch.manual_seed(0)
    model = build_seg(
        tiny_fcn(),
        auxiliary=dict(second=tiny_fcn()),
        teacher=dict(
            model=dict(type="HFPromptedSegmentor", num_classes=4, config=SAM), beside_twin=True
        ),
    )
    for hook in (
        TeacherEMAHook(0.0),
        CrossPromptHook(prompt="both", seed_score=0.0, min_area=1, quality=0.0, overlap=0.0),
    ):
        model.attach(hook)
    found = losses(model, seg_batch())
    assert found["prompts/asked"] > 0
    assert all(
        torch.as_tensor(value).isfinite().all() for name, value in found.items() if "loss" in name
    )
    assert not any(p.requires_grad for p in model.frozen_teacher.parameters())
