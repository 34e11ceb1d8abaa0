"""MC-Net+ as a hook of the step."""

import copy

import pytest
import torch

from ssdet.hooks import MutualDecodersHook, StepHook
from ssdet.models import UNetDecoderHead
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import (
    CROSS_ENTROPY,
    PREPROCESSOR,
    build_seg,
    padded_from,
    seg_batch,
    tiny_fcn,
)

HEADS = ["second", "third"]


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def head():
    return tiny_fcn()["decode_head"]


def pair(**settings):
    torch.manual_seed(0)
    given = dict(auxiliary=dict(second=head(), third=head()), unsup_weight=0.0)
    return build_seg(**{**given, **settings})


def taken(model, one, batch=None):
    spy = Spy()
    for each in (one, spy):
        model.attach(each)
    return losses(model, batch or seg_batch()), spy.step


def test_every_head_learns_the_labels_and_follows_the_others():
    model = pair()
    found, _ = taken(model, MutualDecodersHook(HEADS))
    assert found["sup_second_loss_ce"] > 0 and found["sup_third_loss_ce"] > 0
    found["unsup_loss_mutual"].backward()
    for part in (model.student.decode_head, *(model.auxiliary[name] for name in HEADS)):
        assert part.conv_seg.weight.grad.abs().sum() > 0
    assert any(p.grad is not None and p.grad.any() for p in model.student.backbone.parameters())


@pytest.mark.parametrize("column", [32, 16])
def test_equal_heads_have_the_loss_of_their_own_sharpening(column):
    """Six pairs of |p - sharp(p)|^2, over labeled and unlabeled pixels alike, but for padding."""
    model = pair()
    for name in HEADS:
        model.auxiliary[name].load_state_dict(model.student.decode_head.state_dict())
    batch = padded_from(seg_batch(), column)
    found, step = taken(model, MutualDecodersHook(HEADS, weight=0.5), batch)
    p = torch.cat([step.outputs[name] for name in ("sup", "unsup_student")]).softmax(1)
    sharp = p**10 / (p**10 + (1 - p) ** 10)
    seen = torch.ones_like(p[:, 0], dtype=torch.bool)
    seen[2:, :, column * seen.shape[-1] // 32 :] = False
    expected = 0.5 * 6 * (p - sharp).square().mean(1)[seen].mean()
    torch.testing.assert_close(found["unsup_loss_mutual"], expected, rtol=1e-4, atol=1e-6)


def test_further_heads_have_the_weight_of_labels():
    found = []
    for weight in (1.0, 0.5):
        model = pair(sup_weight=weight)
        torch.manual_seed(1)
        found.append(taken(model, MutualDecodersHook(HEADS))[0]["sup_second_loss_ce"].item())
    assert found[1] == pytest.approx(0.5 * found[0], rel=1e-5)


def test_the_gradient_through_the_sharpened_is_a_choice():
    gradients = []
    for detach in (True, False):
        model = pair()
        torch.manual_seed(1)
        found, _ = taken(model, MutualDecodersHook(HEADS, detach=detach))
        found["unsup_loss_mutual"].backward()
        gradients.append(model.auxiliary["second"].conv_seg.weight.grad)
    assert not torch.allclose(*gradients)


@pytest.mark.parametrize("joint", [False, True])
def test_further_heads_share_a_pass_as_the_first_does(joint):
    heads = {name: tiny_fcn(norm="BN")["decode_head"] for name in HEADS}
    model = pair(auxiliary=heads, joint_pass=joint)
    taken(model, MutualDecodersHook(HEADS))
    norms = [m for m in model.auxiliary["second"].modules() if hasattr(m, "num_batches_tracked")]
    assert [int(norm.num_batches_tracked) for norm in norms] == [1 if joint else 2]


def test_the_ramp_begins_behind_the_burn_in():
    model = pair(burn_in=1)
    one = MutualDecodersHook(HEADS, ramp_length=100)
    found, _ = taken(model, one)
    assert "unsup_loss_mutual" not in found and found["sup_second_loss_ce"] > 0
    found, step = taken(model, one)
    whole = one._consistency(
        step, {n: [step.outputs[n]] + [model.auxiliary[h](step.features[n]) for h in HEADS]
               for n in ("sup", "unsup_student")},
    )  # fmt: skip
    assert found["unsup_loss_mutual"].item() == pytest.approx(
        0.1 * 0.0067379 * whole.item(), rel=1e-3
    )


def test_a_batch_without_labels_and_one_without_unlabeled_images():
    model = pair()
    found, _ = taken(model, MutualDecodersHook(HEADS), seg_batch(0, 2))
    assert found["unsup_loss_mutual"] > 0 and "sup_second_loss_ce" not in found
    found, _ = taken(pair(), MutualDecodersHook(HEADS), seg_batch(2, 0))
    assert found["sup_third_loss_ce"] > 0 and found["unsup_loss_mutual"] > 0


def unet():
    cfg = tiny_fcn(in_channels=4, in_index=2, channels=4)
    cfg["data_preprocessor"] = PREPROCESSOR
    cfg["backbone"] = dict(
        type="UNet", base_channels=4, num_stages=3, strides=(1, 1, 1), enc_num_convs=(1, 1, 1),
        dec_num_convs=(1, 1), downsamples=(True, True), enc_dilations=(1, 1, 1),
        dec_dilations=(1, 1), norm_cfg=dict(type="GN", num_groups=2),
    )  # fmt: skip
    return cfg


def decoder(**settings):
    given = dict(
        type="UNetDecoderHead", in_channels=[4, 8, 16], num_classes=4, num_convs=1,
        dropout_ratio=0.0, norm_cfg=dict(type="GN", num_groups=2), align_corners=False,
        loss_decode=CROSS_ENTROPY,
    )  # fmt: skip
    return {**given, **settings}


@pytest.mark.parametrize("joint", [False, True])
def test_decoders_read_the_encoder_of_a_unet(joint):
    auxiliary = dict(
        second=decoder(upsample_cfg=dict(type="DeconvModule", kernel_size=2)),
        third=decoder(upsample_cfg=dict(type="InterpConv", upsample_cfg=dict(
            scale_factor=2, mode="nearest"))),
    )  # fmt: skip
    model = build_seg(unet(), auxiliary=auxiliary, unsup_weight=0.0, joint_pass=joint)
    one = MutualDecodersHook(HEADS, layers=[f"backbone.encoder.{level}" for level in range(3)])
    found, step = taken(model, one)
    sum(value for name, value in found.items() if "loss" in name).backward()
    for name in HEADS:
        assert isinstance(model.auxiliary[name], UNetDecoderHead)
        assert all(p.grad is not None for p in model.auxiliary[name].parameters())
    maps = step.layers["sup"]
    assert [maps[f"layer:backbone.encoder.{n}"].shape[1:] for n in range(3)] == [
        (4, 32, 32), (8, 16, 16), (16, 8, 8)]  # fmt: skip


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="'second' must be a decode head of 4 classes"):
        build_seg().attach(MutualDecodersHook(HEADS))
    wrong = copy.deepcopy(head())
    wrong["num_classes"] = 3
    with pytest.raises(ValueError, match="'third' must be a decode head of 4 classes"):
        pair(auxiliary=dict(second=head(), third=wrong)).attach(MutualDecodersHook(HEADS))
    with pytest.raises(ValueError, match=r"layer='backbone.encoder.0'"):
        pair().attach(MutualDecodersHook(HEADS, layers=["backbone.encoder.0"]))
    with pytest.raises(ValueError, match="is not a list of names"):
        MutualDecodersHook("second")
    with pytest.raises(ValueError, match="temperature=0"):
        MutualDecodersHook(temperature=0)
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(MutualDecodersHook(HEADS))
