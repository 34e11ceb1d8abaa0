"""SS-Net's compact classes as a hook of the step."""

import pytest
import torch

from ssdet.hooks import ClassCompactnessHook, StepHook
from ssdet.hooks.pixels import class_compactness
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch

HEAD = dict(type="CompactnessHead", in_channels=8, num_classes=4, channels=4, hidden=4)


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def pair(**settings):
    torch.manual_seed(0)
    return build_seg(auxiliary=dict(compactness=HEAD), **settings)


def taken(one, model=None, batch=None):
    model, spy = model or pair(), Spy()
    for each in (one, spy):
        model.attach(each)
    return losses(model, batch or seg_batch()), spy.step


def sizes(hook):
    return [len(rows) for rows in hook.bank.rows]


def test_rightly_predicted_pixels_are_remembered_without_the_background():
    one = ClassCompactnessHook(rows=8)
    found, step = taken(one)
    labels = torch.stack([s.gt_sem_seg.data[0] for s in step.sup.samples])
    small = torch.nn.functional.interpolate(labels[:, None].float(), (4, 4))[:, 0]
    right = small[small == step.outputs["sup"].argmax(1)]
    expected = [0 if c == 0 else min(8, int((right == c).sum())) for c in range(4)]
    assert sizes(one) == expected and sum(expected) > 0
    assert found["unsup_loss_compact"] > 0
    everything = ClassCompactnessHook(rows=8, background=None)
    taken(everything)
    assert sizes(everything)[1:] == expected[1:]
    assert sizes(everything)[0] == min(8, int((right == 0).sum()))


def test_pixels_without_an_annotation_are_left_out():
    batch = seg_batch(2, 0)
    for sample in batch["data_samples"]["sup"]:
        sample.gt_sem_seg.data[..., 16:] = 255
    one = ClassCompactnessHook()
    _, step = taken(one, batch=batch)
    features, labels, _ = one._pixels(step, "sup")
    maps = step.pixel_features["sup"].movedim(1, -1)
    torch.testing.assert_close(features, maps[:, :, : maps.shape[2] // 2].flatten(0, 2))
    assert labels.max() < 4


def test_features_are_pulled_and_the_selection_moves_none():
    model = pair()
    found, step = taken(ClassCompactnessHook(), model)
    found["unsup_loss_compact"].backward(retain_graph=True)
    head = model.auxiliary["compactness"]
    for part in (head.projection, head.prediction, head.selection, model.student.backbone):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())
    classifier = model.student.decode_head.conv_seg.weight.grad
    assert classifier is None or not classifier.any()
    features = step.pixel_features["sup"].movedim(1, -1).flatten(0, 2)
    (moved,) = torch.autograd.grad(head(features)[1].sum(), features, allow_unused=True)
    assert moved is None or not moved.any()


def test_a_memory_that_the_features_point_to_costs_nothing():
    one = ClassCompactnessHook(weight=1.0, background=None)
    model = pair()
    _, step = taken(one, model)
    _, labels, _ = one._pixels(step, "sup")
    head = model.auxiliary["compactness"]
    one.bank.rows = [torch.ones(1, 4) for _ in range(4)]
    head.prediction[-1].weight.data.zero_()
    head.prediction[-1].bias.data.fill_(2.0)
    assert one._loss(step, head, "sup", torch.Generator()).item() == pytest.approx(0, abs=1e-6)
    head.prediction[-1].bias.data.fill_(-2.0)
    shown = len(labels.unique())
    found = one._loss(step, head, "sup", torch.Generator()).item()
    assert found == pytest.approx(2 * shown / 4)  # opposite, mean over four classes


def test_the_latest_features_stay_and_travel():
    one = ClassCompactnessHook(rows=4, background=None)
    model = pair()
    for _ in range(3):
        taken(one, model)
    assert max(sizes(one)) == 4
    other = ClassCompactnessHook(rows=4, background=None)
    other.load_state_dict(one.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(one.bank.rows, other.bank.rows, strict=True))


def test_few_samples_and_the_burn_in():
    found, _ = taken(ClassCompactnessHook(samples=2, background=None))
    assert found["unsup_loss_compact"].isfinite()
    one = ClassCompactnessHook()
    found, _ = taken(one, pair(burn_in=1))
    assert found["unsup_loss_compact"] == 0 and sum(sizes(one)) > 0


def test_a_process_without_pixels_takes_the_pass_that_others_wait_for(monkeypatch):
    """Under SyncBN they wait in each of its two norms; alone, the statistics stay as they are."""
    batch, asked = seg_batch(2, 0), []
    for sample in batch["data_samples"]["sup"]:
        sample.gt_sem_seg.data[:] = 255
    for others, rows in ((True, [2, 2]), (False, [])):
        model, seen = pair(), []
        head = model.auxiliary["compactness"]
        for part in (head.projection, head.prediction):
            part[1].register_forward_hook(lambda _, args, __, seen=seen: seen.append(len(args[0])))

        def any_rank(flag, others=others):
            asked.append(flag)
            return others or flag

        monkeypatch.setattr(class_compactness, "any_rank", any_rank)
        found, _ = taken(ClassCompactnessHook(), model, batch)
        learning = [n for n in seen if n]  # what is remembered passes the first norm, too
        assert learning == rows
        found["unsup_loss_compact"].backward()
        assert found["unsup_loss_compact"] == 0
        assert all(p.grad is not None and not p.grad.any() for p in head.parameters())
    assert asked == [False, False]


def test_batches_of_one_kind():
    found, _ = taken(ClassCompactnessHook(), batch=seg_batch(0, 2))
    assert found["unsup_loss_compact"] == 0  # nothing is remembered
    found, _ = taken(ClassCompactnessHook(), batch=seg_batch(2, 0))
    assert found["unsup_loss_compact"] > 0


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="must be a CompactnessHead of its 4 classes"):
        build_seg().attach(ClassCompactnessHook())
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(ClassCompactnessHook())
    with pytest.raises(ValueError, match="rows=1"):
        ClassCompactnessHook(rows=1)
