"""Detectors of transformers: our losses against the library's, and what weights do to them."""

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from ssdet.exits import UsageError
from ssdet.hooks import StepHook, TeacherEMAHook
from ssdet.losses.set_prediction import BoxTargets, SetLoss, corners, covered, overlaps
from ssdet.models.hf_padding import fitted
from ssdet.registry import MODELS
from ssdet.teacher_student.heads import count_classes
from ssdet.teacher_student.weights import honor_weights

from ..families.hugging_face import CLASSES, CONFIGS, FAMILIES, hf_config
from ..helpers import losses, multi_branch, total

SIZE = (64, 96)
BOXES = [(4.0, 6.0, 30.0, 40.0), (50.0, 20.0, 90.0, 60.0), (10.0, 30.0, 40.0, 60.0)]
pytest.importorskip("transformers")  # which Python 3.10 does not get
_built = {}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def detector(family):
    """One of each family for all tests, which only read it."""
    if family not in _built:
        torch.manual_seed(1)
        _built[family] = MODELS.build(hf_config(family))
        with torch.no_grad():
            for parameter in _built[family].parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        assert honor_weights(_built[family]) == []
    return _built[family].train()


def sample(boxes=BOXES, ignored=(), **fields):
    found = DetDataSample(metainfo=dict(img_shape=SIZE, ori_shape=SIZE, scale_factor=(1.0, 1.0)))
    labels = torch.arange(len(boxes)) % CLASSES
    places = torch.tensor(boxes).reshape(-1, 4)
    found.gt_instances = InstanceData(bboxes=places, labels=labels)
    if "background_weight" in fields:
        found.gt_instances.set_metainfo(dict(background_weight=fields.pop("background_weight")))
    for name, value in fields.items():
        found.gt_instances[name] = torch.tensor(value)
    if ignored:
        found.ignored_instances = InstanceData(bboxes=torch.tensor(ignored))
    return found


def image(count=2):
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def run(model, *samples):
    torch.manual_seed(2)
    return model.loss(image(len(samples)), list(copy.deepcopy(samples)))


class Both:
    """Our criterion, which also asks the library's own loss about the same outputs."""

    def __init__(self, network):
        self.ours, self.library = network.loss_function, None
        del network._loss_function  # what the property has stored
        self.theirs = network.loss_function

    def __call__(self, *args, **kwargs):
        self.library = self.theirs(*args, **kwargs)[0]
        return self.ours(*args, **kwargs)


def library_and_ours(model, *samples):
    network = model.network
    both = Both(network)
    network.loss_function = both
    try:
        found = run(model, *samples)
    finally:
        network.loss_function = both.ours
    return both.library, sum(v for k, v in found.items() if "loss" in k)


@pytest.mark.parametrize("boxes", [(BOXES, BOXES[:1]), (BOXES, []), ([], [])], ids=len)
def test_plain_labels_give_the_loss_of_the_library_and_its_gradient(family, boxes):
    model = detector(family)
    library, ours = library_and_ours(model, *map(sample, boxes))
    assert float(library) > 0
    torch.testing.assert_close(ours, library, rtol=1e-5, atol=1e-5)
    learned = [p for p in model.network.parameters() if p.requires_grad]
    theirs, own = (
        torch.cat([g.flatten() for g in torch.autograd.grad(
            loss, learned, retain_graph=True, allow_unused=True, materialize_grads=True)])
        for loss in (library, ours)
    )  # fmt: skip
    assert (own - theirs).norm() < 1e-4 * theirs.norm()


def test_weights_of_one_change_nothing_and_the_normalizer_is_a_count(family):
    model, c = detector(family), 0.3
    plain = run(model, sample())
    ones = run(model, sample(weight_cls=[1.0] * 3, weight_box=[1.0] * 3, background_weight=1.0))
    less = run(model, sample(weight_cls=[c] * 3, weight_box=[c] * 3, background_weight=c))
    assert plain.keys() == ones.keys() == less.keys()
    for key, value in plain.items():
        torch.testing.assert_close(ones[key], value)
        torch.testing.assert_close(less[key], value * c, rtol=1e-4, atol=1e-6)


def gradients(model, *samples, keys):
    """Gradients of some losses at the predictions of the last layer: logits and boxes."""
    kept = {}
    ours = model.network.loss_function

    def keep(logits, labels, device, boxes, *args, **kwargs):
        kept.update(logits=logits, boxes=boxes)
        logits.retain_grad()
        boxes.retain_grad()
        kwargs = dict(kwargs, outputs_class=None, outputs_coord=None)
        return ours(logits, labels, device, boxes, args[0], **kwargs)

    model.network.loss_function = keep
    try:
        found = run(model, *samples)
    finally:
        model.network.loss_function = ours
    chosen = sum(v for k, v in found.items() if keys in k and k.startswith("loss"))
    return torch.autograd.grad(chosen, [kept["logits"], kept["boxes"]], allow_unused=True)


def test_a_box_of_weight_zero_teaches_neither_class_nor_place(family):
    model = detector(family)
    only = dict(weight_cls=[0.0, 1.0, 1.0], weight_box=[0.0, 1.0, 1.0])
    _, full = gradients(model, sample(), keys="bbox")
    _, less = gradients(model, sample(**only), keys="bbox")
    rows = [g.abs().sum(-1) > 0 for g in (full, less)]
    groups = CONFIGS[family].get("group_detr", 1)
    assert rows[0].sum() == 3 * groups and rows[1].sum() == 2 * groups
    torch.testing.assert_close(less[rows[1]], full[rows[1]])
    lost = rows[0] & ~rows[1]
    classes, _ = gradients(model, sample(**only), keys="cls")
    assert not classes[lost].any() and classes[rows[1]].any(-1).all()


def test_queries_in_a_region_learn_nothing_unless_they_have_a_box(family):
    model = detector(family)
    everything = [(-96.0, -64.0, 192.0, 128.0)]
    plain, _ = gradients(model, sample(), keys="cls")
    inside, _ = gradients(model, sample(ignored=everything), keys="cls")
    matched = gradients(model, sample(), keys="bbox")[1].abs().sum(-1) > 0
    # The last ones are those that are matched; before them are the denoising queries.
    plain, inside, matched = (each[:, -20:] for each in (plain, inside, matched))
    assert plain.abs().sum(-1).gt(0)[~matched].all()
    assert not inside[~matched].any()
    torch.testing.assert_close(inside[matched], plain[matched])


def test_soft_labels_move_the_target(family):
    """The gradient at a class is 0 where its probability is the target (softmax and focal: p)."""
    model = detector(family)
    one_hot = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    soft = [[0.6, 0.4, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    hard = run(model, sample())["loss_cls"]
    torch.testing.assert_close(run(model, sample(soft_labels=one_hot))["loss_cls"], hard)
    assert not torch.isclose(run(model, sample(soft_labels=soft))["loss_cls"], hard, rtol=1e-4)


def test_boxes_of_predictions_are_those_of_the_library(family):
    model = detector(family).eval()
    with torch.no_grad():
        found = model.predict(image(1), [sample()], rescale=False)[0].pred_instances
        output = model._run(fitted(image(1), model.network.config), [sample()])
    assert len(found) and bool((found.scores[:-1] >= found.scores[1:]).all())
    sigmoid = family not in ("detr", "yolos")
    scores = output.logits[0].sigmoid() if sigmoid else output.logits[0].softmax(-1)[:, :-1]
    best = int(scores.max(1).values.argmax())
    x, y, w, h = output.pred_boxes[0, best].tolist()
    limits = [(x - w / 2) * 96, (y - h / 2) * 64, (x + w / 2) * 96, (y + h / 2) * 64]
    wanted = [min(max(v, 0), top) for v, top in zip(limits, (96, 64, 96, 64), strict=True)]
    assert found.bboxes[0].tolist() == pytest.approx(wanted, abs=1e-3)
    assert int(found.labels[0]) == int(scores[best].argmax())


@pytest.mark.parametrize("family", ["detr", "deformable_detr", "lw_detr", "rf_detr"])
def test_a_model_that_sees_padding_finds_boxes_where_they_are(family):
    """An image beside a larger one: nothing tells these models how large the batch is."""
    model, alone = detector(family).eval(), image(1)
    padded = F.pad(alone, (0, 96, 0, 64))
    with torch.no_grad():
        places = [model.queries(one, [sample()])[1] for one in (alone, padded)]
        found = model.predict(padded, [sample()], rescale=False)[0].pred_instances.bboxes
    # The edges of its maps differ, and with them which places the queries take.
    torch.testing.assert_close(*(one.mean(1) for one in places), rtol=0.0, atol=0.1)
    limits = torch.tensor([96.0, 64.0, 96.0, 64.0])
    expected = torch.minimum((corners(places[1][0]) * limits).clamp(min=0.0), limits)
    assert torch.cdist(found, expected, p=1).min(1).values.max() < 1e-3
    assert torch.equal(*(model._labels(sample(), one)["boxes"] for one in (alone, padded)))


def test_it_is_written_to_a_folder_of_transformers_and_read_from_it(family, tmp_path):
    if family == "rt_detr":
        pytest.skip("as rt_detr_v2")
    model = detector(family).eval()
    model.save_pretrained(tmp_path)
    config = hf_config(family, pretrained=str(tmp_path))
    del config.config
    read = MODELS.build(config).eval()
    read.init_weights()  # by `from_pretrained`
    with torch.no_grad():
        assert torch.equal(read.network(image(1)).logits, model.network(image(1)).logits)
    for key, value in model.network.state_dict().items():
        assert torch.equal(read.network.state_dict()[key], value), key


class KeepBest(StepHook):
    def after_teacher(self, step):
        for number, found in enumerate(step.pseudo):
            step.drop(number, found.scores.argsort(descending=True).argsort() >= 3, "rank")


def test_a_pair_learns_from_pseudo_boxes_and_every_parameter_gets_a_gradient(family):
    torch.manual_seed(4)
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=hf_config(family))).train()
    model.init_weights()
    model.attach(KeepBest())
    ema = TeacherEMAHook(momentum=0.5)
    model.attach(ema)
    found = losses(model, multi_branch())
    total(found).backward()
    assert found["unsup_loss_cls"] > 0 and found["sup_loss_cls"] > 0
    without = [n for n, p in model.student.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    before = copy.deepcopy(model.teacher)
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter.add_(1.0)
    ema.update()
    for name, parameter in model.teacher.named_parameters():
        torch.testing.assert_close(parameter, before.get_parameter(name) + 0.5)


def test_it_teaches_a_detector_of_mmdetection():
    from ..helpers import build_pair, tiny_retinanet

    teacher = dict(model=dict(hf_config("rt_detr_v2")), scale=2.0)
    model = build_pair(tiny_retinanet(), teacher=teacher)
    model.init_weights()
    model.attach(KeepBest())
    found = losses(model, multi_branch())
    assert found["pseudo/kept"] == 3 and total(found).isfinite()


def test_small_images_have_enough_places_for_the_queries():
    """32 x 32 pixels are 16 + 4 + 1 places, too few for 30 queries; 64 x 64 are 84."""
    config = hf_config("rt_detr_v2")
    config.config.num_queries = 30
    model = MODELS.build(config)
    small = sample([(4.0, 6.0, 20.0, 30.0)])
    small.set_metainfo(dict(img_shape=(32, 32), ori_shape=(32, 32)))
    images = torch.randn(1, 3, 32, 32)
    assert fitted(images, model.network.config).shape[-2:] == (64, 64)
    assert model.train().loss(images, [small.clone()])["loss_bbox"].isfinite()
    with torch.no_grad():
        found = model.eval().predict(images, [small], rescale=False)[0].pred_instances
    assert len(found) == 90 and found.bboxes.max() <= 32


@pytest.mark.parametrize(
    ("family", "size", "expected"),
    [
        ("lw_detr", (70, 90), (96, 96)),
        ("rf_detr", (64, 96), (96, 96)),
        ("rf_detr", (33, 20), (96, 96)),
    ],
)
def test_windows_are_whole_and_those_of_rf_detr_square(family, size, expected):
    """Multiples of 2 windows of 16 pixels, and as many as it takes for 20 places of queries.

    64 x 32 are 8 places of LW-DETR's first map and 2 of its second; 64 x 64 are 16 of RF-DETR's.
    """
    model = detector(family)
    assert fitted(torch.zeros(1, 3, *size), model.network.config).shape[-2:] == expected


def test_layers_that_nothing_looks_at_do_not_learn():
    names = [n for n, p in detector("rf_detr").named_parameters() if not p.requires_grad]
    assert names and all(".layer.2." in name or "mask_token" in name for name in names)


def test_settings_are_checked():
    assert count_classes(detector("detr")) == CLASSES
    with pytest.raises(UsageError, match=r"needs sides that are multiples of 32.*64 x 80"):
        detector("rt_detr_v2").predict(torch.zeros(1, 3, 64, 80), [sample()])
    with pytest.raises(UsageError, match="'vit' is not one of"):
        MODELS.build(dict(type="HFDetector", num_classes=3, config=dict(model_type="vit")))
    with pytest.raises(UsageError, match="give pretrained=<folder"):
        MODELS.build(dict(type="HFDetector", num_classes=3))
    with pytest.raises(UsageError, match="is not a model of transformers"):
        MODELS.build(dict(type="HFDetector", num_classes=3, config=dict(model_type="detrr")))
    with pytest.raises(UsageError, match="Without a network: download it elsewhere"):
        MODELS.build(dict(type="HFDetector", num_classes=3, pretrained="./no/such/folder"))


# ---------------------------------------------------------------------- by hand


def plain_targets(weight=1.0):
    one, box = torch.ones(1), torch.tensor([[0.5, 0.5, 0.4, 0.2]])
    return BoxTargets(torch.tensor([0]), box, one * weight, one * weight, torch.zeros(0, 4))


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 0.68448), (0.5, 0.40722)])
def test_varifocal_by_hand(weight, expected):
    """Two queries, one class, logits 0, IoU .8: .8 ln 2 and .75 * .25 * ln 2."""
    loss = SetLoss("varifocal", (2, 5, 2), (1, 5, 2), alpha=0.75)
    box = torch.tensor([[0.5, 0.5, 0.4, 0.16], [0.1, 0.1, 0.1, 0.1]])[None]
    matches = [(torch.tensor([0]), torch.tensor([0]))]
    found = loss(torch.zeros(1, 2, 1), box, [plain_targets(weight)], matches, 1.0)
    assert found["cls"].item() == pytest.approx(expected, abs=1e-4)
    assert found["bbox"].item() == pytest.approx(5 * 0.04 * weight, abs=1e-5)
    assert found["iou"].item() == pytest.approx(2 * 0.2 * weight, abs=1e-5)


def test_aligned_by_hand():
    """Logits 0, IoU .8: the goal is .5^.25 * .8^.75 = .7113, and BCE is ln 2 whatever the goal.

    Of the class with a box that is .6931; of the other query it is .25 * .6931. A label of
    probability .5 is half of each.
    """
    loss = SetLoss("aligned", (2, 5, 2), (1, 5, 2))
    box = torch.tensor([[0.5, 0.5, 0.4, 0.16], [0.1, 0.1, 0.1, 0.1]])[None]
    matches = [(torch.tensor([0]), torch.tensor([0]))]
    logits = torch.zeros(1, 2, 1, requires_grad=True)
    found = loss(logits, box, [plain_targets()], matches, 1.0)["cls"]
    assert found.item() == pytest.approx(0.69315 + 0.17329, abs=1e-4)
    # d BCE / dx = p - goal; d (p^2 * softplus(x)) / dx = 2 p^2 (1 - p) ln 2 + p^3
    (slope,) = torch.autograd.grad(found, logits)
    assert slope[0, :, 0].tolist() == pytest.approx([0.5 - 0.71132, 0.17329 + 0.125], abs=1e-4)
    half = dataclasses.replace(plain_targets(), soft=torch.tensor([[0.5]]))
    found = loss(logits, box, [half], matches, 1.0)["cls"]
    assert found.item() == pytest.approx(0.34657 + 1.5 * 0.17329, abs=1e-4)
    far = torch.tensor([[0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1]])[None]  # a goal of .01, not 0
    found = loss(torch.full((1, 2, 1), -2.0), far, [plain_targets()], matches, 1.0)["cls"]
    p, no, yes = 0.1192, 0.12693, 2.12693
    assert found.item() == pytest.approx(0.01 * yes + 0.99 * no + p**2 * no, abs=1e-4)


def test_a_box_without_area_lies_in_the_region_of_its_center():
    boxes = torch.tensor([[0.2, 0.2, 0.2, 0.2], [0.7, 0.7, 0.7, 0.9], [0.4, 0.4, 0.8, 0.8]])
    assert covered(boxes, torch.tensor([[0.0, 0.0, 0.5, 0.5]])).tolist() == [True, False, False]


def test_each_group_of_queries_is_matched_with_all_boxes():
    loss = SetLoss("aligned", (2, 5, 2), (1, 5, 2))
    places = [[0.1, 0.1, 0.1, 0.1], [0.5, 0.5, 0.4, 0.2], [0.5, 0.5, 0.4, 0.2], [0.9] * 4]
    ((query, box),) = loss.match(torch.zeros(1, 4, 1), torch.tensor([places]), [plain_targets()], 2)
    assert query.tolist() == [1, 2] and box.tolist() == [0, 0]


def test_focal_and_overlap_by_hand():
    loss = SetLoss("focal", (2, 5, 2), (1, 5, 2))
    box = torch.tensor([[0.5, 0.5, 0.4, 0.2], [0.1, 0.1, 0.1, 0.1]])[None]
    matches = [(torch.tensor([0]), torch.tensor([0]))]
    found = loss(torch.zeros(1, 2, 1), box, [plain_targets()], matches, 1.0)
    assert found["cls"].item() == pytest.approx(0.04332 + 0.12997, abs=1e-4)
    small, large = torch.tensor([0.5, 0.5, 0.2, 0.2]), torch.tensor([0.5, 0.5, 0.4, 0.2])
    assert [v.item() for v in overlaps(corners(small), corners(large))] == pytest.approx([0.5, 0.5])
    assert loss._class_cost(torch.zeros(1, 1), torch.tensor([0])).item() == pytest.approx(
        -0.08664, abs=1e-4
    )


def test_a_run_is_exported_to_a_folder_of_transformers(tmp_path, capsys):
    from mmengine.config import Config
    from transformers import AutoModelForObjectDetection

    from ssdet.cli import main

    pair = dict(type="TeacherStudentDetector", detector=hf_config("yolos"))
    model = MODELS.build(pair)
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    meta = dict(dataset_meta=dict(classes=("a", "b", "c")))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), checkpoints / "iter_1.pth")
    dataset = dict(type="CocoDataset", pipeline=[dict(type="PackDetInputs")])
    config = dict(default_scope="mmdet", model=pair, test_dataloader=dict(dataset=dataset))
    Config(config).dump(tmp_path / "config.py")
    out = tmp_path / "out"
    command = ["export", str(checkpoints / "iter_1.pth"), "--out", str(out)]
    assert main([*command, "--format", "transformers"]) == 0
    assert "from_pretrained" in capsys.readouterr().out
    again = AutoModelForObjectDetection.from_pretrained(out).eval()
    assert again.config.id2label == {0: "a", 1: "b", 2: "c"}
    with torch.no_grad():
        expected = model.teacher.network.eval()(image(1)).logits
        assert torch.equal(again(image(1)).logits, expected)
