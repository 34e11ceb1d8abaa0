"""The backbone sees shuffled cells, everything after it does not."""

import pytest
import torch
from torch import nn

from ssdet.hooks import PatchShuffleHook
from ssdet.teacher_student.step import Step

from ...families.detectors import small_config
from ...helpers import build_pair, losses, multi_branch, total
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


class Cells(nn.Module):
    """Two levels, strides 4 and 8, that look at nothing beside their own patch."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 8, 2, stride=2)

    def forward(self, images):
        # Convolutions without padding give up incomplete patches, where others round up.
        missing = (0, -images.shape[-1] % 8, 0, -images.shape[-2] % 8)
        low = self.first(nn.functional.pad(images, missing))
        return low, self.second(low)


def attached(model, **settings):
    hook = PatchShuffleHook(**settings)
    model.attach(hook)
    return hook, Step(model, 0)


def features_of(hook, step, images, branch="unsup_student"):
    with torch.no_grad(), hook.student_pass(step, branch):
        return step.model.student.backbone(images)


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (8, 72)])
@pytest.mark.parametrize("grid", [(2, 2), (1, 3)])
def test_a_backbone_of_patches_does_not_notice(size, grid):
    model = build_seg()
    model.student.backbone, model.teacher.backbone = Cells(), Cells()
    hook, step = attached(model, grid=grid)
    images = torch.randn(2, 3, *size)
    plain = model.student.backbone(images)
    seen = features_of(hook, step, images)
    for one, other in zip(plain, seen, strict=True):
        assert one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=1e-6)


def test_a_backbone_of_convolutions_notices_in_strong_views_alone():
    model = build_pair().eval()
    hook, step = attached(model)
    images = torch.randn(4, 3, 96, 64)  # padded to 128x64: the largest stride is 32
    plain = model.student.backbone(images)
    assert all(map(torch.equal, plain, features_of(hook, step, images, "sup")))
    torch.manual_seed(0)
    seen = features_of(hook, step, images)
    assert [f.shape for f in seen] == [f.shape for f in plain]
    assert not any(torch.allclose(a, b, atol=1e-3) for a, b in zip(plain, seen, strict=True))
    assert 0 < float(step.log["patch_shuffle/share"]) <= 1
    assert all(map(torch.equal, plain, model.student.backbone(images)))


def test_which_views_and_images():
    model = build_pair().eval()
    images = torch.randn(2, 3, 64, 64)
    plain = model.student.backbone(images)
    hook, step = attached(model, views=["unsup_student_2"])
    assert all(map(torch.equal, plain, features_of(hook, step, images)))
    assert not torch.equal(plain[0], features_of(hook, step, images, "unsup_student_2")[0])
    never = PatchShuffleHook(prob=0.0)
    never.on_attach(model)
    assert all(map(torch.equal, plain, features_of(never, step, images)))


def test_the_backbone_is_as_before_after_an_error():
    model = build_pair()
    hook, step = attached(model)
    with pytest.raises(RuntimeError, match="stop"), hook.student_pass(step, "unsup_student"):
        raise RuntimeError("stop")
    backbone = model.student.backbone
    assert not backbone._forward_hooks and not backbone._forward_pre_hooks


def test_trying_out_leaves_the_teacher_alone():
    model = build_pair(predict_with="teacher")
    model.teacher.train()  # as before the first call of `train` of the pair
    before = {key: value.clone() for key, value in model.teacher.state_dict().items()}
    attached(model)
    assert all(torch.equal(before[key], v) for key, v in model.teacher.state_dict().items())
    assert model.teacher.backbone.training


@pytest.mark.parametrize("build, batch", [(build_pair, multi_branch), (build_seg, seg_batch)])
def test_students_learn_with_it(build, batch):
    model = build()
    attached(model, prob=0.7)
    found = losses(model, batch(views=2))
    loss = total(found)
    loss.backward()
    assert loss.isfinite() and "patch_shuffle/share" in found
    assert model.student.backbone.conv1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("family", ["yolox", "rtmdet", "deformable_detr"])
def test_backbones_of_other_kinds(family):
    model = build_pair(small_config(family)).eval()
    hook, step = attached(model)
    images = torch.randn(1, 3, 64, 64)
    plain, seen = model.student.backbone(images), features_of(hook, step, images)
    assert [f.shape for f in seen] == [f.shape for f in plain]


def vision_transformer():
    cfg = tiny_fcn(in_channels=8, in_index=0)
    cfg["backbone"] = dict(
        type="VisionTransformer",
        img_size=(32, 32),
        patch_size=8,
        embed_dims=8,
        num_layers=1,
        num_heads=1,
        out_indices=0,
    )
    return cfg


def test_a_view_that_the_batch_does_not_have_is_named():
    model = build_pair(burn_in=5)
    model.attach(PatchShuffleHook(views=["unsup_student_2", "unsup_student_mosaic"]))
    with pytest.raises(ValueError, match=r"'unsup_student_2'.* strong views \['unsup_student'\]"):
        losses(model, multi_branch())
    assert torch.isfinite(total(losses(model, multi_branch(views=2))))


def test_refusals():
    with pytest.raises(TypeError, match="VisionTransformer adds an embedding of absolute posit"):
        attached(build_seg(vision_transformer()))
    model = build_seg(compile_student=dict(backend="eager"))
    with pytest.raises(ValueError, match="Leave out compile_student"):
        attached(model)
    model = build_seg()
    model.teacher.backbone = nn.Conv2d(3, 4, 3)
    with pytest.raises(TypeError, match="Conv2d makes a level of 126x126 out of 128x128"):
        attached(model)
    del model.student.backbone
    with pytest.raises(TypeError, match="EncoderDecoder has no backbone"):
        attached(model)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(grid=(1, 1)), r"grid=\(1, 1\) is not \(rows, columns\)"),
        (dict(prob=1.5), r"PatchShuffleHook: prob=1.5 is not in \[0, 1\]"),
        (dict(views=["sup"]), "'sup' is no strong view"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        PatchShuffleHook(**settings)
