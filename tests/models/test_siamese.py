"""One backbone for two images: features, losses, windows, and the core around it."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict

from ssdet.hooks import CutMixHook, FixedThresholdHook, PatchShuffleHook, StepHook, TeacherEMAHook
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase

from ..helpers import losses
from ..seg_helpers import PREPROCESSOR, build_seg, seg_batch, seg_sample, tiny_fcn

PAIRS = {**PREPROCESSOR, "type": "PairDataPreProcessor"}


def siamese(fusion="difference", **head):
    width = 64 if fusion == "concat" else 32
    cfg = tiny_fcn(2, in_channels=width, **head)
    return {**cfg, "type": "SiameseSegmentor", "fusion": fusion, "data_preprocessor": PAIRS}


def build(cfg):
    torch.manual_seed(0)
    return MODELS.build(ConfigDict(copy.deepcopy(cfg), _scope_="mmseg")).eval()


def pair_batch(**options):
    """Pairs of which the second image shows the labels, and the first one their absence."""
    batch = seg_batch(classes=2, **options)
    for images in batch["inputs"].values():
        images[:] = [None if i is None else torch.cat([torch.zeros_like(i), i]) for i in images]
    return batch


def test_the_features_are_those_of_each_image_alone_fused():
    earlier, later = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    for fusion in ("difference", "concat"):
        model = build(siamese(fusion))
        alone = [model.backbone(image) for image in (earlier, later)]
        fused = model.extract_feat(torch.cat([earlier, later], dim=1))
        assert len(fused) == 3
        for one, first, second in zip(fused, *alone, strict=True):
            wanted = (first - second).abs()
            if fusion == "concat":
                wanted = torch.cat([first, second], dim=1)
            torch.testing.assert_close(one, wanted)


def test_nothing_has_changed_between_equal_images():
    model = build(siamese())
    image = torch.rand(1, 3, 32, 32)
    assert not any(level.any() for level in model.extract_feat(image.repeat(1, 2, 1, 1)))


def test_it_is_the_same_with_the_images_exchanged():
    model = build(siamese())
    pair = torch.rand(1, 6, 32, 32)
    torch.testing.assert_close(model(pair), model(pair.roll(3, dims=1)))


def test_sliding_windows_see_pairs():
    cfg = siamese()
    model = build({**cfg, "test_cfg": dict(mode="slide", crop_size=(32, 32), stride=(32, 32))})
    pair = torch.rand(1, 6, 32, 64)
    sizes = [dict(img_shape=(32, 64), ori_shape=(32, 64))]
    found = model.inference(pair, sizes)
    left = model.encode_decode(pair[..., :32], sizes)
    torch.testing.assert_close(found[..., :32], left)
    assert model.predict(pair, [seg_sample((32, 64))])[0].pred_sem_seg.shape == (32, 64)


def test_a_single_image_is_refused():
    with pytest.raises(ValueError, match="3 channels are not a pair of images; load pairs"):
        build(siamese()).extract_feat(torch.rand(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"fusion='sum'.*difference"):
        build({**siamese(), "fusion": "sum"})


def test_colors_are_turned_and_normalized_image_by_image():
    cfg = dict(PAIRS, mean=[1.0, 2.0, 3.0], std=[1.0, 2.0, 4.0], bgr_to_rgb=True, size_divisor=1)
    processor = MODELS.build({**cfg, "_scope_": "mmseg"})
    picture = torch.tensor([10, 20, 30, 40, 50, 60], dtype=torch.uint8)[:, None, None]
    data = {"inputs": [picture], "data_samples": [seg_sample((1, 1))]}
    found = processor(data, training=True)["inputs"].flatten().tolist()
    # (30 - 1) / 1, (20 - 2) / 2, (10 - 3) / 4, and the same for the later image
    assert found == [29.0, 9.0, 1.75, 59.0, 24.0, 9.25]
    assert processor.mean.shape == (6, 1, 1)
    with pytest.raises(ValueError, match="found 3 channels, but 2 images have 6"):
        processor({**data, "inputs": [picture[:3]]})


class Listener(StepHook):
    phase = Phase.OBSERVE

    def after_teacher(self, step):
        self.features = step.teacher_features

    def after_loss(self, step):
        self.step = step


def test_a_teacher_and_a_student_learn_pairs():
    torch.manual_seed(0)
    model, listener = build_seg(siamese()), Listener()
    hooks = [TeacherEMAHook(), FixedThresholdHook(0.5), CutMixHook(1.0), PatchShuffleHook()]
    for hook in (*hooks, listener):
        model.attach(hook)
    found = losses(model, pair_batch())
    assert found["sup_decode.loss_ce"] > 0 and found["unsup_decode.loss_ce"] > 0
    # What hooks hear is what the head sees: one map for a pair.
    assert [len(level) for level in listener.features] == [2, 2, 2]
    assert listener.step.strong["unsup_student"].inputs.shape == (2, 6, 32, 32)


def test_one_pass_for_all_branches():
    torch.manual_seed(0)
    model = build_seg(siamese(), joint_pass=True)
    seen = []
    model.student.backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    assert losses(model, pair_batch())["unsup_decode.loss_ce"] > 0
    assert seen == [8]  # two labeled and two unlabeled pairs
