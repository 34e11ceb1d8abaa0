"""AllSpark as a hook of the step."""

import pytest
import torch

from ssdet.hooks import ChannelMemoryHook, FeaturePerturbationHook, StepHook
from ssdet.hooks.pixels.channel_memory import ChannelMemory
from ssdet.models.channel_attention import channel_classes
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def pair(neck=True, **settings):
    torch.manual_seed(0)
    cfg = tiny_fcn()
    if neck:
        cfg["neck"] = dict(type="ChannelCrossAttention", in_channels=32, channels=4, dropout=0.0)
    return build_seg(cfg, **{"joint_pass": True, **settings})


def taken(model, one, batch=None):
    spy = Spy()
    for each in (one, spy):
        model.attach(each)
    return losses(model, batch or seg_batch()), spy.step


def test_a_ring_for_each_class():
    """Size 4, three written, two more: places 3 and 0; the next one is 1."""
    memory = ChannelMemory(2, 4)
    memory.push(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1, 1, 1]))
    assert len(memory.full()) == 0
    memory.push(torch.tensor([[4.0], [9.0], [5.0]]), torch.tensor([1, 0, 1]))
    assert memory.rows[1, :, 0].tolist() == [5, 2, 3, 4] and int(memory.written[1]) % 4 == 1
    assert memory.full()[:, :, 0].tolist() == [[5, 2, 3, 4]]
    many = torch.arange(6.0)[:, None]
    memory.push(many, torch.zeros(6, dtype=torch.long))
    assert sorted(memory.rows[0, :, 0].tolist()) == [2, 3, 4, 5]


@pytest.mark.parametrize("width", [32, 64])
def test_channels_enter_the_class_that_they_resemble(width):
    one, model = ChannelMemoryHook(), pair()
    seen = {}

    class Keep(StepHook):
        phase = Phase.LABEL  # before the hook forgets

        def after_loss(self, step):
            seen["embedded"] = step.model.student.neck.embedded

    model.attach(Keep())
    _, step = taken(model, one, seg_batch(size=(32, width)))
    rows = step.rows["unsup_student"]
    own = seen["embedded"][rows]
    soft = step.targets["unsup_student"].soft
    maps = torch.nn.functional.interpolate(soft, (4, width // 8), mode="bilinear")
    classes = channel_classes(own, maps.flatten(2)).flatten()
    assert one.memory.written.tolist() == [int((classes == c).sum()) for c in range(4)]
    assert one.memory.written.sum() == 2 * 4
    assert one.memory.rows.shape == (4, 4, width // 2)
    first = int(classes[0])
    stored = one.memory.rows[first, 0].float()
    torch.testing.assert_close(stored, own[0, :, 0], atol=1e-2, rtol=1e-2)


def test_labeled_images_are_rebuilt_from_the_others_and_those_learn_too():
    model = pair()
    found, _ = taken(model, ChannelMemoryHook())
    (found["sup_decode.loss_ce"]).backward()
    neck = model.student.neck
    assert all(p.grad is not None and p.grad.any() for p in neck.other.parameters())
    assert all(p.grad is None or not p.grad.any() for p in neck.own.parameters())
    batch = seg_batch()
    one = losses(pair(), batch)["sup_decode.loss_ce"]
    assert one.item() != pytest.approx(found["sup_decode.loss_ce"].item())


def test_full_memories_are_used_behind_the_warm_up():
    model, one = pair(), ChannelMemoryHook(warmup=2)
    taken(model, one)
    one.memory.rows = torch.randn(4, 4, 16).half()
    one.memory.written = torch.tensor([4, 3, 9, 0])
    used = []
    original = model.student.neck._remembered
    neck = model.student.neck
    neck._remembered = lambda e: used.append(len(neck.memory)) or original(e)
    _, step = taken(model, one)
    assert not used and step.log["channels/full_classes"] >= 2
    taken(model, one)
    assert len(used) == 1 and used[0] >= 2
    assert model.student.neck.memory is None and model.student.neck.labeled is None


def test_the_teacher_and_an_evaluation_see_each_image_alone():
    model = pair()
    model.attach(ChannelMemoryHook())
    taken(model, ChannelMemoryHook())
    model.eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        both = model.student(images)
        torch.testing.assert_close(both[:1], model.student(images[:1]))


def test_batches_of_one_kind():
    one = ChannelMemoryHook()
    found, _ = taken(pair(), one, seg_batch(2, 0))
    assert one.memory is None and found["sup_decode.loss_ce"] > 0
    found, _ = taken(pair(), one, seg_batch(0, 2))
    assert found["unsup_decode.loss_ce"] > 0


def test_a_stream_of_features_has_no_channels_of_its_own():
    """The stream of UniMatch has rows of the heads alone, behind those of the neck."""
    one, model = ChannelMemoryHook(), pair()
    model.attach(FeaturePerturbationHook(shared=True))
    found, step = taken(model, one)
    assert found["unsup_features_decode.loss_ce"] > 0 and len(step.derived) == 1
    assert one.memory.written.sum() == 2 * 4


def test_a_measure_of_the_weak_view_sees_each_image_alone():
    class Measure(StepHook):
        phase = Phase.OBSERVE
        needs = frozenset({"weak_outputs"})

    model = pair()
    model.attach(Measure())
    _, step = taken(model, ChannelMemoryHook())
    with torch.no_grad():
        alone = model.student.eval()(step.weak.inputs)
    torch.testing.assert_close(step.weak_outputs, alone)


def test_the_memory_travels():
    one, model = ChannelMemoryHook(), pair()
    taken(model, one)
    other = ChannelMemoryHook()
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.memory.rows, other.memory.rows)
    assert torch.equal(one.memory.written, other.memory.written)


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="has no ChannelCrossAttention"):
        pair(neck=False).attach(ChannelMemoryHook())
    with pytest.raises(ValueError, match="Set joint_pass=True"):
        pair(joint_pass=False).attach(ChannelMemoryHook())
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(ChannelMemoryHook())
