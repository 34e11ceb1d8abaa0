"""What the teacher says of pixels, and how it gets into the strong views."""

import copy

import pytest
import torch
from torch.nn import functional as F

from ssdet.hooks import FixedThresholdHook, StepHook
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ..helpers import losses, tiny_retinanet, total
from ..seg_helpers import (
    CROSS_ENTROPY,
    build_seg,
    plain,
    seg_batch,
    seg_sample,
    tiny_fcn,
    with_other_labeled,
)

FLIP = [[-1, 0, 32], [0, 1, 0], [0, 0, 1]]


class Spy(StepHook):
    """Keeps the step."""

    phase = Phase.OBSERVE

    def before_student(self, step):
        self.step = step


def stepped(model, batch):
    spy = Spy()
    model.attach(spy)
    found = losses(model, batch)
    model.hooks.remove(spy)
    return spy.step, found


def views_of(*sizes, inputs=(32, 48), **sample):
    samples = [seg_sample(size, **sample) for size in sizes]
    return Views(torch.randn(len(sizes), 3, *inputs), samples)


# ---------------------------------------------------------------- labels of the teacher


def test_labels_and_scores_are_the_softmax_of_the_view():
    model, views = build_seg(), views_of((32, 48), (32, 48))
    with torch.no_grad():
        found = model.label(views)
        logits = model.teacher.encode_decode(
            views.inputs, [dict(img_shape=torch.Size((32, 48)))] * 2
        )
    scores, labels = logits.softmax(1).max(1)
    assert torch.equal(found.labels, labels)
    assert torch.allclose(found.scores, scores) and found.scores.dtype == torch.float32
    assert found.weights.eq(1).all() and found.valid.all()


def test_metainfo_of_postprocessing_does_not_move_the_labels():
    model, views = build_seg(), views_of((32, 48), (32, 48))
    expected = model.label(views)
    for sample in views.samples:
        sample.set_metainfo(
            dict(
                flip=True,
                flip_direction="horizontal",
                padding_size=(0, 16, 0, 16),
                pad_shape=None,
                ori_shape=(300, 400),
                scale_factor=0.1,
            )
        )
    assert torch.equal(model.label(views).labels, expected.labels)


def test_slide_inference_labels_the_view_window_by_window():
    cfg = tiny_fcn()
    cfg["test_cfg"] = dict(mode="slide", crop_size=(16, 16), stride=(16, 16))
    model, views = build_seg(cfg), views_of((32, 48))
    found = model.label(views)
    corner = Views(views.inputs[..., :16, 16:32], [seg_sample((16, 16))])
    assert torch.equal(found.labels[..., :16, 16:32], model.label(corner).labels)


def test_one_channel_heads_score_with_the_sigmoid():
    model = build_seg(tiny_fcn(num_classes=2, out_channels=1, threshold=0.3))
    logits = torch.tensor([2.0, -0.5, -2.0]).view(1, 1, 1, 3)  # p = 0.881, 0.378, 0.119
    labels, scores = model._classify(logits)
    assert labels.flatten().tolist() == [1, 1, 0]
    assert scores.flatten().tolist() == pytest.approx([0.8808, 0.3775, 0.8808], abs=1e-4)


def test_scores_are_taken_in_float32():
    model = build_seg()
    logits = torch.tensor([4.0, 1.0, 0.0, 0.0], dtype=torch.bfloat16).view(1, 4, 1, 1)
    _, scores = model._classify(logits)
    assert scores.item() == pytest.approx(0.92046, abs=1e-5)  # e^4 / (e^4 + e + 2); bf16: 0.9219


def test_padding_is_not_valid():
    model = build_seg()
    views = views_of((32, 48), (20, 30))
    marks = torch.zeros(20, 30, dtype=torch.long)
    marks[:, 25:] = 255  # the pipeline padded the crop itself
    views.samples[1] = seg_sample((20, 30), gt=F.pad(marks, (0, 18, 0, 12), value=255))
    found = model.label(views)
    assert found.valid[0].all()
    expected = torch.zeros(32, 48, dtype=torch.bool)
    expected[:20, :25] = True
    assert torch.equal(found.valid[1], expected)
    assert found.labels[1][~expected].eq(255).all() and found.labels[1][expected].lt(4).all()
    assert not found.scores[1][~expected].any() and not found.weights[1][~expected].any()


def test_preprocessor_tells_how_large_each_view_was():
    model = build_seg()
    small, large = seg_batch(sup=0, unsup=1, size=(16, 20)), seg_batch(sup=0, unsup=1)
    for key in small:
        for branch in small[key]:
            large[key][branch] += small[key][branch]
    step, _ = stepped(model, large)
    assert step.pseudo.valid.sum(dim=(1, 2)).tolist() == [32 * 32, 16 * 20]
    assert step.targets["unsup_student"].valid[1, :16, :20].all()
    assert step.log["pseudo/kept"] == 1, "padding is in no statistic"


def test_outputs_that_are_not_finite_are_not_valid():
    model, views = build_seg(), views_of((32, 48), (32, 48))
    views.inputs[1] = torch.nan
    found = model.label(views)
    assert found.valid[0].all() and not found.valid[1].any()


def test_classes_are_never_reduced_again():
    """Where files number classes from 1, the class 0 of the model is a class like any other."""
    model = build_seg()
    with torch.no_grad():
        model.student.decode_head.conv_seg.weight.zero_()
        model.student.decode_head.conv_seg.bias.copy_(torch.tensor([5.0, 0.0, 0.0, 0.0]))
        model.teacher.load_state_dict(model.student.state_dict())
    batch = seg_batch(sup=0)
    for samples in batch["data_samples"].values():
        for sample in samples:
            sample.set_metainfo(dict(reduce_zero_label=True))
    step, found = stepped(model, batch)
    assert step.targets["unsup_student"].labels.eq(0).all()
    expected = -torch.tensor([5.0, 0.0, 0.0, 0.0]).log_softmax(0)[0]
    assert torch.allclose(found["unsup_decode.loss_ce"], expected)
    assert found["unsup_decode.acc_seg"] == 100


# ---------------------------------------------------------------- transfer


def transferred(pseudo, weak, strong):
    model = build_seg()
    step = Step(model, 0, weak=weak, strong={"unsup_student": strong}, pseudo=pseudo)
    return model.transfer(step)["unsup_student"], step


def numbered(height=4, width=6, batch=1):
    labels = torch.arange(height * width).view(1, height, width).repeat(batch, 1, 1)
    weights = (labels % 3).float() / 2
    return PixelLabels(labels, labels / 100, weights, torch.ones_like(labels, dtype=torch.bool))


def test_views_of_one_geometry_share_their_labels_but_not_their_memory():
    pseudo = numbered()
    views = views_of((4, 6), inputs=(4, 6))
    found, _ = transferred(pseudo, views, views)
    for key, value in pseudo.fields().items():
        assert torch.equal(getattr(found, key), value)
        assert getattr(found, key).data_ptr() != value.data_ptr()


def test_flip_and_shift_move_every_field_alike():
    pseudo = numbered()
    weak = views_of((4, 6), inputs=(4, 6))
    # Flipped in its width of 6, then a crop that begins 2 pixels further right, 5 wide and 3 high.
    strong = views_of((3, 5), inputs=(3, 5), homography=[[-1, 0, 4], [0, 1, 0], [0, 0, 1]])
    found, _ = transferred(pseudo, weak, strong)
    expected = pseudo.labels[0, :3].flip(-1)[:, 2:]
    assert torch.equal(found.labels[0, :, :4], expected)
    assert torch.equal(found.scores[0, :, :4], expected / 100)
    assert torch.equal(found.weights[0, :, :4], (expected % 3).float() / 2)
    assert found.valid[0, :, :4].all() and not found.valid[0, :, 4:].any()
    assert found.labels[0, :, 4:].eq(255).all() and not found.weights[0, :, 4:].any()


def test_padding_of_either_view_stays_invalid():
    pseudo = numbered(batch=2)
    pseudo.valid[0, :, 5:] = False
    weak = views_of((4, 5), (4, 6), inputs=(4, 6))
    strong = views_of((4, 6), (2, 3), inputs=(5, 7))
    found, _ = transferred(pseudo, weak, strong)
    expected = torch.zeros(2, 5, 7, dtype=torch.bool)
    expected[0, :4, :5] = True
    expected[1, :2, :3] = True
    assert torch.equal(found.valid, expected)
    assert torch.equal(found.labels != 255, expected)


def test_log_says_how_much_is_kept_and_how_sure_it_is():
    pseudo = numbered()
    pseudo.valid[:, 3] = False
    views = views_of((4, 6), inputs=(4, 6))
    _, step = transferred(pseudo, views, views)
    kept = torch.tensor([i for i in range(18) if i % 3])
    assert step.log["pseudo/kept"].item() == pytest.approx(12 / 18)
    assert step.log["pseudo/score"].item() == pytest.approx(kept.float().mean().item() / 100)


def test_the_student_learns_the_flipped_labels():
    model = build_seg(tiny_fcn(norm="GN"))
    step, _ = stepped(model, seg_batch(sup=0, homography=FLIP))
    assert torch.equal(step.targets["unsup_student"].labels, step.pseudo.labels.flip(-1))


# ---------------------------------------------------------------- the step


def test_teacher_gets_no_gradient_and_stays_in_eval_mode():
    model = build_seg(tiny_fcn(norm="BN", auxiliary=True))
    before = copy.deepcopy(model.teacher.state_dict())
    total(losses(model, seg_batch())).backward()
    assert all(p.grad is not None for p in model.student.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())
    assert not any(m.training for m in model.teacher.modules())
    for key, value in model.teacher.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize(
    ("batch", "has"),
    [
        (dict(sup=2, unsup=0), (True, False)),
        (dict(sup=0, unsup=2), (False, True)),
        (dict(sup=1, unsup=3, views=2), (True, True)),
        (dict(sup=3, unsup=1), (True, True)),
    ],
)
@pytest.mark.parametrize("joint", [False, True])
def test_any_set_of_branches_is_legal(batch, has, joint):
    found = losses(build_seg(joint_pass=joint), seg_batch(**batch))
    assert any(k.startswith("sup_") for k in found) == has[0]
    assert any(k.startswith("unsup_") for k in found) == has[1]
    assert any(k.startswith("unsup_2_") for k in found) == (batch.get("views") == 2)
    assert torch.isfinite(total(found)) and total(found) > 0


@pytest.mark.parametrize("reduction", ["valid", "kept", "image"])
def test_nothing_kept_gives_zero_with_a_graph(reduction):
    model = build_seg(reduction=reduction)
    model.attach(FixedThresholdHook(1.0))
    found = losses(model, seg_batch(sup=0))
    assert total(found) == 0 and found["pseudo/empty_batch"] == 1 and found["pseudo/kept"] == 0
    total(found).backward()
    assert all(p.grad is not None and not p.grad.any() for p in model.student.parameters())


def test_a_batch_that_is_all_padding_gives_zero_with_a_graph():
    batch = seg_batch(sup=0)
    for branch in ("unsup_teacher", "unsup_student"):
        batch["data_samples"][branch] = [seg_sample(gt=torch.full((32, 32), 255)) for _ in range(2)]
    found = losses(build_seg(), batch)
    total(found).backward()
    assert total(found) == 0 and found["pseudo/empty_batch"] == 1


def test_burn_in_then_copy():
    model = build_seg(burn_in=1)
    with torch.no_grad():
        model.student.decode_head.conv_seg.bias.add_(1.0)
    assert not any("unsup" in k for k in losses(model, seg_batch()))
    assert any("unsup" in k for k in losses(model, seg_batch()))
    for key, value in model.student.state_dict().items():
        assert torch.equal(model.teacher.state_dict()[key], value)


def test_a_joint_pass_gives_the_same_losses_without_batch_statistics():
    batch = seg_batch(homography=FLIP, views=2)
    cfg = tiny_fcn(auxiliary=True)
    apart, joint = build_seg(cfg), build_seg(cfg, joint_pass=True)
    joint.load_state_dict(apart.state_dict())
    first, second = losses(apart, batch), losses(joint, batch)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.allclose(value, second[key], rtol=1e-4), key


def test_a_joint_pass_pads_the_labels_with_the_views():
    """A padded view must not have its output squeezed into its smaller label map."""
    model = build_seg(joint_pass=True)
    batch = with_other_labeled(seg_batch(size=(64, 48)), (32, 48))
    found = losses(model, batch)
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    padded = F.pad(data["inputs"]["sup"], (0, 0, 0, 32))
    labels = torch.stack([s.gt_sem_seg.data for s in data["data_samples"]["sup"]])[:, 0]
    with torch.no_grad():
        logits = model.student.decode_head(model.student.extract_feat(padded))
        logits = F.interpolate(logits, size=(64, 48), mode="bilinear")[..., :32, :]
    expected = F.cross_entropy(logits, labels)
    assert torch.allclose(found["sup_decode.loss_ce"], expected, rtol=1e-5)


def test_bf16_autocast_trains():
    model = build_seg(tiny_fcn(auxiliary=True), joint_pass=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = losses(model, seg_batch(homography=FLIP))
    total(found).backward()
    assert torch.isfinite(total(found))
    assert all(v.dtype == torch.float32 for k, v in found.items() if "loss" in k)


def test_compiled_student_trains():
    model = build_seg(compile_student=dict(backend="eager"))
    eager = build_seg()
    eager.load_state_dict(model.state_dict())
    batch = seg_batch()
    for _ in range(2):
        assert torch.allclose(total(losses(model, batch)), total(losses(eager, batch)), rtol=1e-5)


def test_channels_may_lie_last_in_memory():
    model = build_seg(channels_last=True)
    plain_one = build_seg()
    plain_one.load_state_dict(model.state_dict())
    for network in (model.student, model.teacher):
        weight = next(p for p in network.parameters() if p.ndim == 4 and p.shape[1] > 1)
        assert weight.stride(1) == 1
    batch = seg_batch()
    features = []
    model.student.backbone.register_forward_hook(lambda *call: features.extend(call[2]))
    for one in (model, plain_one):
        total(losses(one, batch)).backward()
    assert features and all(f.stride(1) == 1 for f in features)
    for ours, other in zip(model.student.parameters(), plain_one.student.parameters(), strict=True):
        assert torch.allclose(ours.grad, other.grad, rtol=1e-3, atol=1e-5)


def test_who_answers_predict():
    model, batch = build_seg(), plain(seg_batch(unsup=0))
    with torch.no_grad():
        model.teacher.decode_head.conv_seg.bias.copy_(torch.tensor([9.0, 0, 0, 0]))
        model.student.decode_head.conv_seg.bias.copy_(torch.tensor([0, 9.0, 0, 0]))
    model.eval()
    assert model.val_step(copy.deepcopy(batch))[0].pred_sem_seg.data.eq(0).all()
    model.predict_with = "student"
    assert model.val_step(copy.deepcopy(batch))[0].pred_sem_seg.data.eq(1).all()


def test_plain_checkpoint_fills_both_models():
    segmentor = MODELS.build(dict(tiny_fcn(), _scope_="mmseg"))
    model = build_seg()
    model.load_state_dict(segmentor.state_dict())
    for role in (model.student, model.teacher):
        for key, value in segmentor.state_dict().items():
            assert torch.equal(role.state_dict()[key], value)


def test_state_dict_is_that_of_two_plain_segmentors():
    segmentor = MODELS.build(dict(tiny_fcn(), _scope_="mmseg"))
    expected = {f"{r}.{k}" for r in ("student", "teacher") for k in segmentor.state_dict()}
    model = build_seg()
    losses(model, seg_batch())
    assert set(model.state_dict()) == expected | {"_iteration"}


def test_pixels_have_no_boxes():
    step, _ = stepped(build_seg(), seg_batch())
    with pytest.raises(TypeError, match="labels pixels"):
        _ = step.pseudo_boxes
    with pytest.raises(TypeError, match="finds boxes"):
        _ = Step(step.model, 0, pseudo=[]).pseudo_pixels


def test_reduction_is_checked_when_built():
    with pytest.raises(ValueError, match="TeacherStudentSegmentor: reduction='mean' is not one of"):
        build_seg(reduction="mean")


def test_a_detector_is_no_segmentor():
    with pytest.raises(TypeError, match="TeacherStudentSegmentor: RetinaNet has no decode head"):
        preprocessor = dict(type="mmdet.DetDataPreprocessor")
        build_seg(dict(tiny_retinanet(), _scope_="mmdet", data_preprocessor=preprocessor))


def test_labels_alone_train_as_the_plain_segmentor_does():
    cfg = tiny_fcn(sampler=dict(type="OHEMPixelSampler", thresh=0.7, min_kept=100))
    model, segmentor = build_seg(cfg), MODELS.build(dict(cfg, _scope_="mmseg")).train()
    segmentor.load_state_dict(model.student.state_dict())
    losses(model, seg_batch())  # with unlabeled images once, to see that nothing is left behind
    batch = plain(seg_batch(unsup=0))
    mine = losses(model, batch)
    theirs = segmentor(**segmentor.data_preprocessor(copy.deepcopy(batch), True), mode="loss")
    assert {k.removeprefix("sup_") for k in mine} == set(theirs)
    assert all(torch.equal(mine["sup_" + k], v) for k, v in theirs.items())


def test_teacher_and_student_learn_from_few_labels():
    """A plain PyTorch loop on pictures that show their labels."""
    from ssdet.hooks import TeacherEMAHook

    model, hook = build_seg(tiny_fcn(loss_decode=CROSS_ENTROPY)), TeacherEMAHook(0.5)
    model.attach(hook)
    optimizer = torch.optim.AdamW(model.student.parameters(), lr=1e-2)
    batch = seg_batch(same=True)
    for _ in range(60):
        loss = total(losses(model, batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        hook.update()
    model.eval()
    found = model.val_step(plain(batch))
    hits = [s.pred_sem_seg.data == s.gt_sem_seg.data for s in found]
    assert torch.stack(hits).float().mean() > 0.9
