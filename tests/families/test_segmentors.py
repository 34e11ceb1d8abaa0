"""Seven families of MMSegmentation, from its own configs, as teacher and student."""

import copy
import logging
from types import SimpleNamespace

import pytest
import torch

from ssdet.hooks import CutMixHook, FixedThresholdHook, TeacherEMAHook
from ssdet.registry import MODELS
from ssdet.teacher_student.step import PixelLabels, Views

from ..helpers import losses, total
from ..seg_helpers import build_seg, plain, seg_batch, seg_sample
from .segmentors import CLASSES, FAMILIES, small_config

pytestmark = pytest.mark.family
SIZE = (64, 64)


def build(family, **settings):
    model = build_seg(small_config(family, **settings.pop("cfg", {})), **settings)
    logging.disable(logging.INFO)
    model.init_weights()
    logging.disable(logging.NOTSET)
    return model.train()


@pytest.fixture(scope="module", params=FAMILIES)
def trained(request):
    """Three steps of a family: its model, its losses and which parameters ever got a gradient."""
    torch.manual_seed(0)
    model = build(request.param)
    ema = TeacherEMAHook(0.9)
    for hook in (ema, FixedThresholdHook(0.2), CutMixHook(prob=1.0)):
        model.attach(hook)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    history, moved = [], set()
    for _ in range(3):
        optimizer.zero_grad()
        history.append(losses(model, seg_batch(size=SIZE)))
        total(history[-1]).backward()
        moved |= {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        optimizer.step()
        ema.update()
    return SimpleNamespace(family=request.param, model=model, history=history, moved=moved)


def test_training(trained):
    student = {n for n, p in trained.model.named_parameters() if n.startswith("student.")}
    assert trained.moved == student, "every parameter of the student, none of the teacher"
    for found in trained.history:
        assert all(torch.isfinite(torch.as_tensor(v)).all() for v in found.values())
        assert any(k.startswith("unsup_") and "loss" in k and v > 0 for k, v in found.items())
        assert 0.2 <= found["pseudo/score"] <= 1 and 0 < found["pseudo/kept"] <= 1
    assert not any(m.training for m in trained.model.teacher.modules())
    assert trained.model.student.training
    student = trained.model.student
    assert trained.model.pixel_weights[student].weightless == []


def test_prediction_and_state(trained):
    """A new model with the state of the trained one predicts the same; so does a plain one."""
    twin = build(trained.family)
    twin.load_state_dict(copy.deepcopy(trained.model.state_dict()))
    assert twin.iteration == 3
    with torch.random.fork_rng():
        batch = plain(seg_batch(sup=1, unsup=0, size=(80, 96)))
    found = [m.eval().val_step(copy.deepcopy(batch))[0] for m in (trained.model, twin)]
    trained.model.train()
    assert found[0].pred_sem_seg.data.shape == (1, 80, 96)
    first, second = (one.seg_logits.data for one in found)
    assert first.shape == (CLASSES, 80, 96) and torch.equal(first, second)
    segmentor = MODELS.build(dict(small_config(trained.family), _scope_="mmseg")).eval()
    prefix = "teacher."
    state = trained.model.state_dict()
    segmentor.load_state_dict(
        {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    )
    assert torch.equal(segmentor.val_step(batch)[0].seg_logits.data, first)
    twin.load_state_dict(segmentor.state_dict())
    for role in (twin.student, twin.teacher):
        for key, value in segmentor.state_dict().items():
            assert torch.equal(role.state_dict()[key], value)


def test_slide_inference(trained):
    model = build(trained.family, cfg=dict(slide=True))
    model.load_state_dict(trained.model.state_dict())
    found = model.eval().val_step(plain(seg_batch(sup=1, unsup=0, size=(96, 80))))[0]
    assert found.pred_sem_seg.data.shape == (1, 96, 80)
    labels = model.label(Views(torch.randn(2, 3, 96, 80), [seg_sample((96, 80))] * 2))
    assert labels.labels.shape == (2, 96, 80) and labels.valid.all()


def test_weights_reach_every_head(trained):
    """Half the weights, half the losses of each head, auxiliary ones and stages included."""
    model = copy.deepcopy(trained.model)
    views = Views(torch.randn(2, 3, *SIZE), [seg_sample(SIZE)] * 2)
    labels = torch.randint(CLASSES, (2, *SIZE))
    ones = torch.ones(2, *SIZE)
    found = []
    for share in (1.0, 0.5, 0.0):
        torch.manual_seed(1)  # Mask2Former draws points
        targets = PixelLabels(labels, ones, ones * share, ones.bool())
        found.append(model.student_losses(views, targets))
    heads = [k for k in found[0] if "loss" in k]
    assert len(heads) >= (1 if trained.family == "segformer" else 2)
    for key in heads:
        assert torch.allclose(found[1][key], 0.5 * found[0][key], rtol=1e-4), key
        assert found[2][key] == 0, key
