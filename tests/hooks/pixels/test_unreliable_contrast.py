"""U2PL's contrast as a hook of the step, and its memory."""

import copy

import pytest
import torch

from ssdet.hooks import StepHook, TeacherEMAHook, UnreliableContrastHook
from ssdet.hooks._parts.feature_bank import FeatureBank
from ssdet.hooks.pixels.unreliable_contrast import Pixels, _quantiles
from ssdet.losses import info_nce
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn

HEAD = dict(
    type="PixelProjector", in_channels=8, channels=4, convs=1, dropout=0.0,
    norm_cfg=dict(type="GN", num_groups=4),
)  # fmt: skip
SMALL = dict(ranks=(1, 4), positive=0.0, share=0.5, anchors=8, negatives=4)


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def pair(**settings):
    torch.manual_seed(1)
    return build_seg(tiny_fcn(), auxiliary=dict(rep=HEAD), auxiliary_teachers=["rep"], **settings)


def hook(**settings):
    return UnreliableContrastHook(head="rep", **{**SMALL, **settings})


def trained(model, *hooks, steps=1):
    spy = Spy()
    for one in (TeacherEMAHook(0.9), *hooks, spy):
        model.attach(one)
    found = [losses(model, seg_batch()) for _ in range(steps)]
    return found, spy.step


def test_the_memory_fills_and_is_contrasted_with_from_the_second_step_on():
    model, one = pair(), hook()
    found, step = trained(model, one, steps=2)
    assert found[0]["unsup_loss_contrast"] == 0 and found[1]["unsup_loss_contrast"] > 0
    assert len(one.bank.rows) == 4 and all(len(rows) for rows in one.bank.rows)
    assert all(len(rows) <= 2 * 8 for rows in one.bank.rows)  # 8 of a class, step and process
    assert step.log["contrast/classes"] >= 2


def test_who_learns_from_it():
    """The representation and what is below it; nothing that classifies, and no teacher."""
    model = pair()
    found, _ = trained(model, hook(), steps=2)
    found[1]["unsup_loss_contrast"].backward()
    for part in (model.auxiliary.rep, model.student.backbone, model.student.decode_head.convs):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())
    frozen = (model.student.decode_head.conv_seg, model.teacher, model.auxiliary_teachers.rep)
    assert all(p.grad is None or not p.grad.any() for part in frozen for p in part.parameters())


def test_the_teacher_of_the_head_is_an_average():
    model = pair()
    trained(model, hook())
    names = [name for name, _ in model.pairs.items()]
    assert sorted(names) == ["rep", "student"]


def pixels(student, classes, teacher=None):
    """Reliable pixels of these classes, as sure as can be, out of two."""
    own = torch.nn.functional.one_hot(torch.tensor(classes), 2).bool()
    return Pixels(student, student.detach() if teacher is None else teacher, own.float(), own, ~own)


def test_the_loss_by_hand():
    """Class 0: anchor (1, 0), mean (1, 0), all its negatives (1, 1). Class 1 has no memory.

    -ln e^2 / (e^2 + 2 e^sqrt 2) = .7483 at temperature .5, by two classes.
    """
    model, one = pair(), hook(anchors=3, negatives=2, temperature=0.5)
    _, step = trained(model, one)
    one.bank.rows = [torch.tensor([[1.0, 1.0]]), torch.zeros(0, 2)]
    part = pixels(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), [0, 1])
    generator = torch.Generator().manual_seed(0)
    far = torch.tensor([[[1.0, 1.0]] * 2])
    whole = info_nce(torch.tensor([[1.0, 0.0]]), torch.tensor([1.0, 0.0]), far, 0.5).item()
    assert whole == pytest.approx(0.7483, abs=1e-4)
    assert one._contrast(step, [part], generator).item() == pytest.approx(whole / 2, abs=1e-5)
    alone = pixels(torch.tensor([[1.0, 0.0]]), [0])
    assert one._contrast(step, [alone], generator) == 0, "one class has nothing to differ from"


def test_a_pixel_that_the_teacher_hardly_believes_in_is_no_anchor():
    model, one = pair(), hook(positive=0.6)
    _, step = trained(model, one)
    one.bank.rows = [torch.ones(1, 2), torch.ones(1, 2)]
    part = pixels(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), [0, 1])
    part.probabilities = part.probabilities * 0.5
    assert one._contrast(step, [part], torch.Generator()) == 0
    part.probabilities = part.probabilities * 1.5
    assert one._contrast(step, [part], torch.Generator()) > 0


def test_the_share_falls_to_its_end():
    model, one = pair(burn_in=2), hook(share=0.2, end=0.0, length=80)
    _, step = trained(model, one)
    for iteration, expected in ((2, 0.2), (22, 0.15), (82, 0.0), (100, 0.0)):
        step.iteration = iteration
        assert one._share(step) == pytest.approx(expected)
    assert hook(share=0.2)._share(step) == 0.2


def test_the_lowest_and_the_highest_share():
    low, high = _quantiles(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]), 0.25)
    assert (low.item(), high.item()) == (pytest.approx(0.2), pytest.approx(0.4))
    low, high = _quantiles(torch.zeros(0), 0.2)
    assert low < 0 < high and not high.isfinite()


def test_nothing_in_the_burn_in_and_every_parameter_is_connected():
    model = pair(burn_in=5)
    (found,), _ = trained(model, hook())
    found["unsup_loss_contrast"].backward()
    assert found["unsup_loss_contrast"] == 0
    assert all(p.grad is not None for p in model.auxiliary.rep.parameters())


def test_state_round_trip_gives_the_same_next_loss():
    model, one = pair(), hook()
    trained(model, one)
    other = hook()
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    assert all(torch.equal(a, b) for a, b in zip(one.bank.rows, other.bank.rows, strict=True))
    assert one.bank.rows[0].dtype == torch.float16


def test_the_oldest_features_leave_first_and_the_background_has_more():
    bank, generator = FeatureBank("x", 2, first=3, per_step=9), torch.Generator()
    assert bank.draw(0, (1,), generator) is None and bank.state_dict() == {}
    for value in range(4):
        bank.push(torch.full((1, 1), float(value)), torch.ones(1, 2).bool(), generator)
    assert bank.rows[0].flatten().tolist() == [1, 2, 3]
    assert bank.rows[1].flatten().tolist() == [2, 3]
    assert bank.draw(1, (5, 4), generator).shape == (5, 4, 1)


def test_of_many_features_some_are_drawn():
    bank, generator = FeatureBank("x", 100, per_step=5), torch.Generator()
    features = torch.arange(50.0)[:, None]
    members = torch.stack([torch.ones(50), torch.zeros(50)], 1).bool()
    bank.push(features, members, generator)
    assert len(bank.rows[0]) == 5 == len(bank.rows[0].unique()) and not len(bank.rows[1])


def test_models_that_cannot():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(hook())
    with pytest.raises(ValueError, match=r"auxiliary of the model has no 'rep'"):
        build_seg().attach(hook())
    with pytest.raises(ValueError, match="auxiliary_teachers of the model has no 'rep'"):
        build_seg(auxiliary=dict(rep=HEAD)).attach(hook())
    with pytest.raises(ValueError, match=r"Set ranks=\(1, 4\)"):
        pair().attach(hook(ranks=(4, 20)))


@pytest.mark.parametrize("settings", [dict(share=2), dict(memory=0), dict(ranks=(3, 3))])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=f"UnreliableContrastHook: .*{next(iter(settings))}"):
        UnreliableContrastHook(**settings)
