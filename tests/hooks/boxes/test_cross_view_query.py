"""Cross-view queries: what is decoded, what is learned from it, and that all else stays."""

import pytest
import torch

from ssdet.hooks import CostMiningHook, CrossViewQueryHook, FixedThresholdHook, StepHook
from ssdet.hooks.boxes.cross_view_query import NOWHERE, PLACE, _maps, _padded
from ssdet.models import QueryProjector, RefinedQueryProjector
from ssdet.teacher_student.phase import Phase

from ...families.detectors import initialized, small_config
from ...helpers import build_pair, losses, multi_branch, pseudo, sample, total

FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]
PROJECTOR = dict(type="QueryProjector", channels=16, hidden=32, groups=4)
BOXES = [(4, 4, 24, 24), (30, 30, 60, 60)]


class Says(StepHook):
    """The teacher says so many of the boxes in each image; the step is kept."""

    phase = Phase.LABEL

    def __init__(self, *counts):
        self.counts = counts

    def after_teacher(self, step):
        for image, count in enumerate(self.counts):
            step.pseudo[image] = pseudo(BOXES[:count], [0.9] * count)
        self.step = step


def pair(*hooks, cfg=None, **projector):
    torch.manual_seed(0)
    cfg = cfg or small_config("dino")
    model = initialized(build_pair(cfg, auxiliary=dict(query_projector={**PROJECTOR, **projector})))
    for hook in hooks:
        model.attach(hook)
    return model


def step_of(model, unsup=2, homography=FLIP, iteration=0):
    model.iteration = iteration
    torch.manual_seed(5)
    return losses(model, multi_branch(sup=1, unsup=unsup, homography=homography))


def without(found, *names):
    return {k: v for k, v in found.items() if k not in names}


def test_nothing_else_in_the_step_changes():
    """The detector's own queries do not see the new ones."""
    plain, says = pair(Says(2, 1)), Says(2, 1)
    one = step_of(plain)
    two = step_of(pair(says, CrossViewQueryHook()))
    assert two["queries/boxes"] == 1.5 and two["unsup_loss_query"] > 0
    for name, value in one.items():
        assert torch.allclose(torch.as_tensor(value), torch.as_tensor(two[name]), atol=1e-5), name


class SameView(StepHook):
    """The strong view is the weak one."""

    phase = Phase.LABEL

    def before_teacher(self, step):
        step.strong["unsup_student"].inputs = step.weak.inputs


@pytest.mark.parametrize(("hooks", "apart"), [((SameView(),), False), ((), True)])
def test_equal_views_and_models_leave_nothing_to_learn(hooks, apart):
    """The student is in the mode of the teacher, and only passes the strong view on."""
    model = pair(*hooks, Says(2, 1), CrossViewQueryHook())
    model.student.eval()
    model.student_losses = lambda views, *_: {"loss": 0.0 * model.forward_outputs(views).cls.sum()}
    torch.manual_seed(5)
    batch = model.data_preprocessor(multi_branch(sup=0, unsup=2), True)
    found = model(**batch, mode="loss")["unsup_loss_query"].item()
    assert (found > 1e-4) if apart else found == pytest.approx(0.0, abs=1e-8)


def test_gradients_go_to_student_and_projector_alone():
    model = pair(Says(2, 1), CrossViewQueryHook())
    step_of(model)["unsup_loss_query"].backward()
    learned = [n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()]
    assert any(n.startswith("auxiliary.query_projector.convs") for n in learned)
    assert any(n.startswith("student.decoder") for n in learned)
    assert not any(n.startswith("teacher") for n in learned)


def test_the_loss_is_a_mean_over_boxes_and_images_without_any():
    """Outputs of teacher and student are orthogonal in every layer: 2 / 16 each."""
    hook = CrossViewQueryHook(weight=10.0)
    model = pair(Says(2, 0), hook)
    model.unsup_weight = 3.0
    axis = torch.eye(16)

    def fake(step, queries):
        return queries.content.new_zeros(2, *queries.known.shape, 16) + axis[0]

    hook._teach = fake
    decode = model.student.forward_decoder

    def orthogonal(**given):
        found = decode(**given)
        hidden = found["hidden_states"]
        if hidden.shape[2] > 12 + 2:  # a pass with more than its own and denoising queries
            hidden = hidden.clone()
            hidden[:, :, :2] = axis[1]
            found["hidden_states"] = hidden
        return found

    model.student.forward_decoder = orthogonal
    found = step_of(model)
    # Two layers; two boxes and one image without a box are three rows.
    expected = 3.0 * 10 * 2 * 2 * (2 / 16) / 3
    assert found["unsup_loss_query"].item() == pytest.approx(expected, rel=1e-5)


def test_each_model_sees_the_boxes_of_its_own_view():
    """The strong view is mirrored: its boxes are those of the weak one from the other side."""
    hook, seen = CrossViewQueryHook(), {}
    model, teach = pair(Says(2, 1), hook), hook._teach
    decode = model.student.forward_decoder

    def taught(step, queries):
        seen["teacher"] = queries.boxes
        return teach(step, queries)

    def decoded(**given):
        seen["student"] = given["reference_points"][:, :2]
        return decode(**given)

    hook._teach, model.student.forward_decoder = taught, decoded
    step_of(model)
    expected = torch.tensor([[14.0, 14, 20, 20], [45, 45, 30, 30]]) / 64
    torch.testing.assert_close(seen["teacher"][0], expected)
    expected[:, 0] = 1 - expected[:, 0]
    torch.testing.assert_close(seen["student"][0], expected)


def test_boxes_below_the_threshold_are_queries_too():
    class Mines(CostMiningHook):
        """All candidates are cheap."""

        def _costs(self, step, branch, every):
            return [own.bboxes.new_zeros(int(own["candidate"].sum())) for own in every]

    says = Says(2, 1)
    model = pair(says, Mines(score=0.95), CrossViewQueryHook())
    found = step_of(model)
    # Nothing is learned as a label; of two equal scores both reach mean + deviation.
    assert found["pseudo/kept"] == 0 and found["queries/boxes"] == 1.5
    assert found["unsup_loss_query"] > 0 and torch.isfinite(total(found))
    (first, _) = says.step.targets["unsup_student"]
    weak = says.step.notes["boxes"][0][first.query_boxes[PLACE]]
    mirrored = torch.stack([64 - weak[:, 2], weak[:, 1], 64 - weak[:, 0], weak[:, 3]], 1)
    assert torch.allclose(mirrored, first.query_boxes.bboxes)


def test_no_box_anywhere():
    found = step_of(pair(Says(0, 0), CrossViewQueryHook()))
    assert found["unsup_loss_query"] == 0 and torch.isfinite(total(found))
    found["unsup_loss_query"].backward()


def test_equal_boxes_are_one_query():
    class Twice(Says):
        def after_teacher(self, step):
            super().after_teacher(step)
            for image, boxes in enumerate(step.pseudo):
                again = pseudo(boxes.bboxes.tolist(), [0.8] * len(boxes))
                step.pseudo[image] = type(boxes).cat([boxes, again])

    for most, boxes in ((None, 3.0), (0.999999, 1.5)):
        hook = CrossViewQueryHook(distinct=most)
        assert step_of(pair(Twice(2, 1), hook))["queries/boxes"] == boxes


def test_the_encoder_looks_at_the_finest_level():
    seen = []

    class Refiner(RefinedQueryProjector):
        def forward(self, pooled, fine):
            seen.append((pooled, fine))
            return super().forward(pooled, fine)

    model = pair(Says(2, 1), CrossViewQueryHook(), type="RefinedQueryProjector", heads=2)
    model.auxiliary["query_projector"].__class__ = Refiner
    found = step_of(model)
    ((pooled, fine),) = seen
    assert pooled.shape == fine.shape == (3, 16, 7, 7) and not torch.equal(pooled, fine)
    found["unsup_loss_query"].backward()
    assert all(p.grad is not None for p in model.auxiliary.parameters())


def test_the_memory_of_an_encoder_as_maps():
    memory = torch.arange(10.0).view(1, 10, 1)
    one, other = _maps(memory, torch.tensor([[2, 3], [2, 2]]))
    assert one[0, 0].tolist() == [[0, 1, 2], [3, 4, 5]] and other[0, 0].tolist() == [[6, 7], [8, 9]]


def test_it_ends_and_the_projector_stays_in_the_graph():
    model = pair(Says(2, 2), CrossViewQueryHook(until=3))
    assert step_of(model, iteration=2)["unsup_loss_query"] > 0
    found = step_of(model, iteration=3)
    assert found["unsup_loss_query"] == 0 and "queries/boxes" not in found
    found["unsup_loss_query"].backward()
    assert all(p.grad is not None for p in model.auxiliary.parameters())


def test_what_comes_from_elsewhere_is_no_query():
    class Pastes(StepHook):
        phase = Phase.MIX

        def before_student(self, step):
            for target in step.targets["unsup_student"]:
                own = target.gt_instances
                target.gt_instances = type(own).cat([own, pseudo([(2, 2, 9, 9)], [1.0])])

    says = Says(2, 1)
    found = step_of(pair(says, Pastes(), CrossViewQueryHook()))
    assert found["queries/boxes"] == 1.5
    (target, _) = says.step.targets["unsup_student"]
    assert target.gt_instances[PLACE].tolist() == [0, 1, NOWHERE]


def test_images_are_filled_up_to_the_most_boxes():
    content = [torch.ones(2, 16), torch.ones(0, 16)]
    boxes = [torch.tensor([[0.0, 0, 32, 16], [16, 16, 48, 48]]), torch.zeros(0, 4)]
    found = _padded(content, boxes, [sample((32, 64)), sample()])
    assert found.boxes[0].tolist() == [[0.25, 0.25, 0.5, 0.5], [0.5, 1.0, 0.5, 1.0]]
    assert found.known.tolist() == [[True, True], [False, False]]
    assert found.content[1].sum() == 0 and (found.boxes[1] == 0.5).all()


def test_one_more_pass_of_the_decoder_alone(monkeypatch):
    """Teacher: one backbone, one encoder, two decoders. Student: as without the hook."""
    model = pair(FixedThresholdHook(0.0), CrossViewQueryHook())
    counts = {}
    for role in ("teacher", "student"):
        for part in ("backbone", "encoder", "decoder"):
            counts[role, part] = 0

            def count(*_, key=(role, part)):
                counts[key] += 1

            getattr(getattr(model, role), part).register_forward_hook(count)
    step_of(model)
    teacher = [counts["teacher", part] for part in ("backbone", "encoder", "decoder")]
    student = [counts["student", part] for part in ("backbone", "encoder", "decoder")]
    assert (teacher, student) == ([1, 1, 2], [2, 2, 2])  # labeled and strong views


def test_others_are_refused():
    with pytest.raises(TypeError, match="a DeformableDETR has none that takes a mask"):
        build_pair(small_config("deformable_detr")).attach(CrossViewQueryHook())
    for model in (build_pair(small_config("dino")), pair(channels=32)):
        with pytest.raises(ValueError, match=r"no QueryProjector called .*channels=16"):
            model.attach(CrossViewQueryHook())
    with pytest.raises(ValueError, match="channels=16 are no multiple of groups=5"):
        QueryProjector(channels=16, groups=5)


def test_a_single_box_is_projected_as_among_others():
    torch.manual_seed(0)
    network, pooled = QueryProjector(8, 16, 3, 2), torch.randn(4, 8, 3, 3)
    assert torch.allclose(network(pooled)[:1], network(pooled[:1]), atol=1e-6)
    assert network(pooled).shape == (4, 8)
