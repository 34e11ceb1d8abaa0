"""Teachers of another kind: another input, other classes, other weights; frozen or a partner."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner.checkpoint import load_state_dict
from mmengine.structures import InstanceData

from ssdet.exits import DataChangedError, UsageError
from ssdet.hooks import BoxJitterHook, PartnerHook, StepHook, TeacherEMAHook, TeacherFusionHook
from ssdet.registry import MODELS
from ssdet.teacher_student.class_map import class_map
from ssdet.teacher_student.step import Step, Views
from ssdet.thresholds import combine_certain

from ..helpers import (
    PREPROCESSOR,
    build_pair,
    losses,
    multi_branch,
    pseudo,
    sample,
    tiny_retinanet,
    total,
)
from ..seg_helpers import build_seg, seg_batch, seg_sample, tiny_fcn


def scope_of(cfg):
    return "mmseg" if "decode_head" in cfg else "mmdet"


def save(folder, cfg, name="large.pth", classes=None, seed=5):
    """A file of random weights for a config, as MMDetection writes it."""
    torch.manual_seed(seed)
    network = MODELS.build(ConfigDict(copy.deepcopy(cfg), _scope_=scope_of(cfg)))
    meta = {} if classes is None else {"dataset_meta": {"classes": classes}}
    torch.save(dict(meta=meta, state_dict=network.state_dict()), folder / name)
    return str(folder / name), network.eval()


def other_input(mean=(10.0, 20.0, 30.0), std=(50.0, 60.0, 70.0), **settings):
    return dict(PREPROCESSOR, mean=list(mean), std=list(std), bgr_to_rgb=True, **settings)


def boxes_of(model, views):
    return model.label(views)[0]


def test_it_sees_the_image_as_its_own_preprocessor_would_have_made_it(tmp_path):
    """Two ways to the same boxes: undo the student's normalization, or never apply it."""
    cfg = dict(tiny_retinanet(), data_preprocessor=other_input())
    file, plain = save(tmp_path, cfg)
    model = build_pair(teacher=dict(model=cfg, checkpoint=file))
    batch = multi_branch(sup=0, unsup=1)
    data = model.data_preprocessor(copy.deepcopy(batch))
    views = Views(data["inputs"]["unsup_teacher"], data["data_samples"]["unsup_teacher"])
    raw = dict(inputs=batch["inputs"]["unsup_teacher"], data_samples=[sample()])
    with torch.no_grad():
        direct = plain(**plain.data_preprocessor(raw), mode="predict")[0].pred_instances
        found = boxes_of(model, views)
    assert len(found) == len(direct) > 0
    assert torch.allclose(found.bboxes, direct.bboxes, atol=1e-2)
    assert torch.allclose(found.scores, direct.scores, atol=1e-4)
    assert torch.equal(found.labels, direct.labels)


@pytest.mark.parametrize("scale", [2.0, (128, 128)])
def test_boxes_come_back_from_another_resolution(tmp_path, scale):
    """At twice the size boxes must be those of an image of twice the size, halved."""
    cfg = tiny_retinanet()
    file, plain = save(tmp_path, cfg)
    model = build_pair(teacher=dict(model=cfg, checkpoint=file, scale=scale))
    inputs = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        large = torch.nn.functional.interpolate(inputs, scale_factor=2.0, mode="bilinear")
        direct = plain(large, [sample((128, 128))], mode="predict")[0].pred_instances
        found = boxes_of(model, Views(inputs, [sample()]))
    assert torch.allclose(found.bboxes * 2, direct.bboxes, atol=1e-3) and len(found)


def test_classes_are_matched_by_name_and_others_dropped(tmp_path):
    cfg = tiny_retinanet(num_classes=4)
    file, plain = save(tmp_path, cfg, classes=("bus", "cat", "van", "tree"))
    settings = dict(student_classes=["cat", "car", "dog"], class_map={"bus": "car", "van": "car"})
    model = build_pair(teacher=dict(model=cfg, checkpoint=file, **settings))
    inputs = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        theirs = plain(inputs, [sample()], mode="predict")[0].pred_instances
        ours = boxes_of(model, Views(inputs, [sample()]))
    assert model.teacher.places.tolist() == [1, 0, 1, -1]
    assert {*ours.labels.tolist()} <= {0, 1}
    assert (theirs.labels == 3).any(), "the case needs a box of a class that the student lacks"
    cats = theirs.labels == 1
    assert torch.equal(ours.scores[ours.labels == 0], theirs.scores[cats])


def test_a_box_under_two_names_that_became_one_is_kept_once(tmp_path):
    cfg = tiny_retinanet(num_classes=2)
    file, _ = save(tmp_path, cfg, classes=("bus", "van"))
    settings = dict(student_classes=["car"], class_map={"bus": "car", "van": "car"})
    model = build_pair(
        tiny_retinanet(num_classes=1), teacher=dict(model=cfg, checkpoint=file, **settings)
    )
    box = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 11.0], [30.0, 30.0, 40.0, 40.0]]
    found = InstanceData(
        bboxes=torch.tensor(box),
        labels=torch.tensor([0, 1, 0]),
        scores=torch.tensor([0.5, 0.9, 0.4]),
    )
    kept = model.teacher.ready()._renumbered(found)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.4])


@pytest.mark.parametrize(
    ("theirs", "ours", "renamed", "text"),
    [
        (("a", "b"), ("c",), {}, "none of its classes"),
        (("a", "b"), ("a",), {"x": "a"}, "'x' is not one of classes: a, b"),
        (("a", "b"), ("a",), {"b": "x"}, "'x' is not one of student_classes: a"),
        (3, ("a",), {}, "it has 3 classes and the student 1"),
        (3, 3, {"a": "b"}, "by name, set classes"),
    ],
)
def test_class_lists_that_do_not_fit_are_refused(theirs, ours, renamed, text):
    with pytest.raises(ValueError, match=text):
        class_map(theirs, ours, renamed)


def test_a_step_learns_from_it_and_leaves_it_alone(tmp_path):
    cfg = tiny_retinanet()
    file, _ = save(tmp_path, cfg)
    model = build_pair(teacher=dict(model=cfg, checkpoint=file))
    model.init_weights()
    before = {k: v.clone() for k, v in model.teacher.network.state_dict().items()}
    found = losses(model.train(), multi_branch())
    total(found).backward()
    assert found["unsup_loss_cls"][0].item() > 0
    assert all(p.grad is None for p in model.teacher.parameters())
    assert not model.teacher.network.training and model.pairs == {}
    model.copy_student()
    assert all(torch.equal(before[k], v) for k, v in model.teacher.network.state_dict().items())


def test_checkpoints_hold_the_sha256_of_its_file_and_a_run_checks_it(tmp_path):
    cfg = tiny_retinanet()
    file, plain = save(tmp_path, cfg)
    build = lambda: build_pair(teacher=dict(model=cfg, checkpoint=file))  # noqa: E731
    first = build()
    first.init_weights()
    state = first.state_dict()
    assert sorted(k for k in state if k.startswith("teacher.")) == [
        "teacher.places",
        "teacher.sha256",
    ]
    second = build()
    second.init_weights()
    second.load_state_dict(copy.deepcopy(state))
    assert torch.equal(
        second.teacher.network.bbox_head.retina_cls.weight, plain.bbox_head.retina_cls.weight
    )
    save(tmp_path, cfg, seed=6)
    third = build()
    third.init_weights()
    with pytest.raises(DataChangedError, match=r"large\.pth is not the file that the run was"):
        load_state_dict(third, copy.deepcopy(state))
    late = build()  # a test of the student alone does not need the file
    late.load_state_dict(copy.deepcopy(state))
    with pytest.raises(DataChangedError, match="Restore the file"):
        late.teacher.ready()


def test_weights_can_be_kept_in_the_checkpoint(tmp_path):
    cfg = tiny_retinanet()
    file, plain = save(tmp_path, cfg)
    settings = dict(model=cfg, checkpoint=file, keep_weights=True)
    first = build_pair(teacher=settings)
    first.init_weights()
    state = first.state_dict()
    second = build_pair(teacher=dict(settings, checkpoint=str(tmp_path / "gone.pth")))
    second.load_state_dict(state)
    weight = second.teacher.ready().network.bbox_head.retina_cls.weight
    assert torch.equal(weight, plain.bbox_head.retina_cls.weight)


def test_a_start_from_a_plain_checkpoint_fills_the_student_alone(tmp_path):
    cfg = tiny_retinanet()
    file, plain = save(tmp_path, cfg)
    model = build_pair(teacher=dict(model=cfg, checkpoint=file))
    model.init_weights()
    own = save(tmp_path, tiny_retinanet(), "start.pth", seed=8)[1]
    load_state_dict(model, own.state_dict())
    name = "bbox_head.retina_cls.weight"
    assert torch.equal(model.student.get_parameter(name), own.get_parameter(name))
    assert torch.equal(model.teacher.network.get_parameter(name), plain.get_parameter(name))


def test_a_file_for_another_model_is_refused(tmp_path):
    file, _ = save(tmp_path, tiny_retinanet())
    cfg = tiny_retinanet(num_classes=5)
    model = build_pair(teacher=dict(model=cfg, checkpoint=file))
    with pytest.raises(UsageError, match="do not fit its model"):
        model.init_weights()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (dict(checkpoint="x.pth"), "give teacher=dict"),
        (dict(partner="second"), "'second' is not one of auxiliary: \\[\\]"),
        (dict(partner="second", scale=2), "leaves nothing else to say, but scale"),
        (dict(model=dict(tiny_fcn(), _scope_="mmseg")), "give a detector a detector"),
        (dict(model=tiny_retinanet(), size=3), "'size' is not a setting"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, text):
    with pytest.raises(UsageError, match=text):
        build_pair(teacher=settings)


class OutputsHook(StepHook):
    needs = frozenset({"teacher_outputs"})

    def after_teacher(self, step):
        self.found = step.teacher_outputs["unsup_teacher"]


def test_hooks_that_need_a_twin_or_its_outputs_are_refused_by_name(tmp_path):
    cfg = tiny_retinanet()
    file, _ = save(tmp_path, cfg)
    model = build_pair(teacher=dict(model=cfg, checkpoint=file))
    with pytest.raises(UsageError, match="TeacherEMAHook: averages the student's weights, but"):
        model.attach(TeacherEMAHook())
    with pytest.raises(UsageError, match="BoxJitterHook: uses the teacher as the student's twin"):
        model.attach(BoxJitterHook())
    hook = OutputsHook()
    model.attach(hook)  # a RetinaNet for a RetinaNet: the outputs have one form
    losses(model, multi_branch())
    assert [tuple(one.shape[:2]) for one in hook.found.cls] == [(2, 3)] * 3
    other = build_pair(teacher=dict(model=cfg, checkpoint=file, scale=2.0))
    with pytest.raises(UsageError, match=r"OutputsHook: needs 'teacher_outputs'.*scale=2.0"):
        other.attach(OutputsHook())


# ---------------------------------------------------------------------- segmentors


def test_maps_of_a_segmentor_are_mapped_and_unknown_classes_say_nothing(tmp_path):
    """.5 of a known class, .3 of one that the student lacks: .5 + .3 / 2 and .2 + .3 / 2."""
    cfg = tiny_fcn(num_classes=3)
    file, _ = save(tmp_path, cfg, classes=("sky", "road", "sea"))
    settings = dict(student_classes=["road", "sky"], scale=2.0)
    model = build_seg(tiny_fcn(num_classes=2), teacher=dict(model=cfg, checkpoint=file, **settings))
    model.teacher.ready()
    given = torch.tensor([0.2, 0.5, 0.3]).log()[None, :, None, None].expand(1, 3, 64, 64)
    model.teacher.network.inference = lambda inputs, metas: given
    found = model.label(Views(torch.randn(1, 3, 32, 32), [seg_sample()]), needs={"soft"})
    assert torch.allclose(found.soft[0, :, 5, 5], torch.tensor([0.65, 0.35]), atol=1e-5)
    assert found.labels.unique().tolist() == [0]
    assert torch.allclose(found.scores, torch.tensor(0.65), atol=1e-5)


def test_a_segmentor_sees_its_own_normalization_and_is_evaluated(tmp_path):
    cfg = dict(tiny_fcn(), data_preprocessor=dict(other_input(), type="SegDataPreProcessor"))
    cfg["data_preprocessor"]["size_divisor"] = cfg["data_preprocessor"].pop("pad_size_divisor")
    file, plain = save(tmp_path, cfg)
    model = build_seg(teacher=dict(model=cfg, checkpoint=file))
    image = torch.randint(0, 255, (3, 32, 32), dtype=torch.uint8)
    raw = dict(inputs=[image], data_samples=[seg_sample()])
    with torch.no_grad():
        direct = plain(**plain.data_preprocessor(copy.deepcopy(raw)), mode="predict")[0]
        found = model(**model.data_preprocessor(raw), mode="predict")[0]
        model.predict_with = "student"
    soft = direct.seg_logits.data.softmax(0)
    assert torch.allclose(found.seg_logits.data.softmax(0), soft, atol=1e-4)
    assert (found.pred_sem_seg.data == direct.pred_sem_seg.data).float().mean() > 0.99


def test_a_partner_teaches_by_its_average():
    model = build_seg(
        auxiliary=dict(partner=tiny_fcn(norm="BN")), teacher=dict(partner="partner"), burn_in=0
    )
    ema = TeacherEMAHook(momentum=0.75)
    model.attach(ema)
    model.attach(PartnerHook("partner"))
    assert list(model.pairs) == ["partner"]
    found = losses(model, seg_batch())
    assert {"sup_partner_decode.loss_ce", "unsup_partner_decode.loss_ce"} <= {*found}
    before = copy.deepcopy(model.teacher)
    with torch.no_grad():
        for parameter in model.auxiliary["partner"].parameters():
            parameter.add_(1.0)
    ema.update()
    for key, value in model.teacher.named_parameters():
        assert torch.allclose(value, before.get_parameter(key) + 0.25, atol=1e-6)
    with pytest.raises(ValueError, match="the teacher is no average of 'partner'"):
        build_seg(auxiliary=dict(partner=tiny_fcn())).attach(PartnerHook())


# ---------------------------------------------------------------------- both


@pytest.mark.parametrize(
    ("mode", "other", "fused", "weight"),
    [
        ("blend", (0.6, 0.4), (0.8844, 0.1156), 0.5310),
        ("select", (0.6, 0.4), (0.9, 0.1), 0.5310),
        ("select", (0.4, 0.6), (0.9, 0.1), 0.5310 * 0.5020),
    ],
)
def test_two_teachers_by_hand(mode, other, fused, weight):
    """Entropies .4690 and .9710 bits: certainties .5310 and .0290."""
    first, second = (torch.tensor(p).view(1, 2, 1, 1) for p in ((0.9, 0.1), other))
    found, weights = combine_certain(first, second, mode)
    assert torch.allclose(found.flatten(), torch.tensor(fused), atol=1e-4)
    assert weights.item() == pytest.approx(weight, abs=1e-4)


def test_a_frozen_teacher_beside_the_twin_changes_labels_until_its_trust_is_gone(tmp_path):
    cfg = tiny_fcn()
    file, _ = save(tmp_path, cfg)
    model = build_seg(teacher=dict(model=cfg, checkpoint=file, beside_twin=True))
    model.init_weights()
    assert list(model.pairs) == ["student"] and not model.frozen_teacher.training
    hook = TeacherFusionHook(length=10)
    model.attach(hook)
    model.attach(TeacherEMAHook())
    torch.manual_seed(3)
    batch = seg_batch()
    start = losses(model, batch)
    assert start["fusion/trust"] == 1 and start["fusion/changed"] > 0
    model.iteration = 10
    end = losses(model, batch)
    assert end["fusion/trust"] == 0 and end["fusion/changed"] == 0
    with pytest.raises(ValueError, match="there is no second teacher"):
        build_seg().attach(TeacherFusionHook())


def test_boxes_of_two_teachers():
    """A pair: mean by scores, weight .8; alone: weight .5 squared, below .3: dropped."""
    model = build_pair()
    hook = TeacherFusionHook(min_certainty=0.3)
    hook.model = model
    own = pseudo([(0, 0, 10, 10), (30, 30, 40, 40)], [0.4, 0.5], [0, 1])
    other = pseudo([(0, 0, 10, 13)], [0.8], [0])
    step = Step(model, 0, pseudo=[own], dropped=[{}])
    hook._boxes(step, 0, other, 1.0)
    (found,) = step.pseudo
    assert found.bboxes.tolist() == [[0, 0, 10, 12]]
    assert found.scores.tolist() == pytest.approx([0.8])
    assert found.weight_cls.tolist() == pytest.approx([0.8])
    assert step.dropped[0]["certainty"].scores.tolist() == [0.5]
