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


def san(**settings):
    torch.manual_seed(0)
    model = build("san", **settings)
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return model


def view():
    return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def losses_of(model, labels, weights, valid=None):
    views, ones = Views(view(), [seg_sample(SIZE)] * 2), torch.ones(2, *SIZE)
    targets = PixelLabels(labels, ones, weights, ones.bool() if valid is None else valid)
    torch.manual_seed(2)  # it draws points
    return {k: v for k, v in model.student_losses(views, targets).items() if "loss" in k}


def test_san_has_the_losses_of_mmsegmentation_and_weights_of_pixels():
    model = san()
    labels = torch.randint(CLASSES, (2, *SIZE), generator=torch.Generator().manual_seed(3))
    ones = torch.ones(2, *SIZE)
    ours = losses_of(model, labels, ones)
    assert len(ours) == 6 and model.pixel_weights[model.student].weightless == []
    samples = [seg_sample(SIZE, gt=one) for one in labels]
    torch.manual_seed(2)
    library = model.student(view(), samples, mode="loss")  # as labeled images
    library = {key: value.squeeze() for key, value in library.items()}
    torch.testing.assert_close(ours, library, rtol=1e-5, atol=1e-6)
    half = losses_of(model, labels, ones / 2)
    torch.testing.assert_close(half, {k: v / 2 for k, v in ours.items()}, rtol=1e-4, atol=1e-6)
    # An ignored half of the image is the outside of no mask: what stands there changes nothing.
    valid = ones.bool()
    valid[..., SIZE[1] // 2 :] = False
    other = labels.where(valid, (labels + 1) % CLASSES)
    first, second = (losses_of(model, one, ones, valid) for one in (labels, other))
    torch.testing.assert_close(first, second)
    nothing = losses_of(model, labels, ones, torch.zeros_like(valid))
    assert all(value == 0 for value in nothing.values())


def test_san_learns_from_pseudo_labels_in_what_is_not_frozen():
    model = san()
    ema = TeacherEMAHook(0.9)
    for hook in (ema, FixedThresholdHook(0.0)):
        model.attach(hook)
    before = copy.deepcopy(model.student.state_dict())
    found = losses(model, seg_batch(size=SIZE))
    total(found).backward()
    assert found["unsup_decode.loss_cls_ce"] > 0 and found["sup_decode.loss_mask_dice"] > 0
    learned = {n for n, p in model.student.named_parameters() if p.requires_grad}
    assert {n for n, p in model.student.named_parameters() if p.grad is not None} == learned
    assert "text_encoder.bg_embed" in learned and "image_encoder.pos_embed" in learned
    assert any(n.startswith("decode_head.side_adapter_network") for n in learned)
    assert not any(n.startswith("decode_head.rec_with_attnbias") for n in learned)
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-2).step()
    moved = {k for k, v in model.student.state_dict().items() if not torch.equal(v, before[k])}
    assert moved and moved <= learned


def test_pidnet_draws_its_borders_from_labels_and_weighs_them():
    torch.manual_seed(0)
    cfg = small_config("pidnet")
    cfg.backbone.update(channels=8, ppm_channels=8)
    cfg.decode_head.update(in_channels=32, channels=8)
    model = build_seg(cfg)
    assert model.pixel_weights[model.student].weightless == []
    labels = torch.zeros(2, *SIZE, dtype=torch.long)
    labels[:, 20:50, 10:40] = 2
    ones = torch.ones(2, *SIZE)
    ours = losses_of(model, labels, ones)
    samples = [seg_sample(SIZE, gt=one) for one in labels]
    library = model.student(view(), samples, mode="loss")  # as labeled images
    assert len(ours) == 4 and ours["decode.loss_bd"] > 0
    # The two others take the hardest pixels of labeled images.
    for name in ("decode.loss_sem_p", "decode.loss_bd"):
        torch.testing.assert_close(ours[name], library[name], rtol=1e-4, atol=1e-6)
    half = losses_of(model, labels, ones / 2)
    torch.testing.assert_close(half, {k: v / 2 for k, v in ours.items()}, rtol=1e-4, atol=1e-6)
    nothing = losses_of(model, labels, ones, ones < 0)
    assert all(value == 0 for value in nothing.values())
    total(losses(model, seg_batch(size=SIZE))).backward()
    assert all(p.grad is not None for p in model.student.parameters())
