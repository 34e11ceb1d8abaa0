"""Segmentors of transformers: our losses against the library's, and what weights do to them."""

import copy

import pytest
import torch
from mmengine.config import Config

from ssdet.cli import main
from ssdet.exits import UsageError
from ssdet.hooks import CutMixHook, FixedThresholdHook, TeacherEMAHook
from ssdet.registry import MODELS
from ssdet.teacher_student.step import PixelLabels, Views

from ..families.hugging_face import CLASSES, SEGMENTORS, hf_seg_config
from ..helpers import losses, total
from ..seg_helpers import build_seg, plain, seg_batch, seg_sample

pytest.importorskip("transformers")  # which Python 3.10 does not get
SIZE = (64, 64)
_built = {}


def segmentor(family):
    """One of each family for all tests, which only read it."""
    if family not in _built:
        torch.manual_seed(1)
        _built[family] = MODELS.build(hf_seg_config(family))
        with torch.no_grad():
            for parameter in _built[family].parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return _built[family].train()


def image(count=2):
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(3))


def label_map(*classes, seed=4):
    found = torch.randint(len(classes), (4, 4), generator=torch.Generator().manual_seed(seed))
    return torch.tensor(classes)[found].repeat_interleave(16, 0).repeat_interleave(16, 1)


MAPS = torch.stack([label_map(0, 1, 2), label_map(1, 2, seed=5)])


def samples(maps=MAPS):
    return [seg_sample(SIZE, gt=one) for one in maps]


@pytest.fixture
def same_points(monkeypatch):
    """Random points depend on how many there are alone: two losses see the same ones."""

    def rand(*shape, device=None):
        shape = shape[0] if isinstance(shape[0], tuple) else shape
        return torch.empty(shape).uniform_(generator=torch.Generator().manual_seed(sum(shape)))

    monkeypatch.setattr(torch, "rand", rand)


def summed(found):
    return sum(value for key, value in found.items() if "loss" in key)


@pytest.mark.parametrize("family", SEGMENTORS)
@pytest.mark.parametrize("maps", [MAPS, MAPS[1:].expand(2, -1, -1)], ids=["all", "two"])
def test_plain_labels_give_the_loss_of_the_library(family, maps, same_points):
    model = segmentor(family)
    if family == "segformer":
        library = model.network(image(), labels=maps).loss
    else:
        classes = [one.unique() for one in maps]
        masks = [(m == c[:, None, None]).float() for m, c in zip(maps, classes, strict=True)]
        library = model.network(image(), mask_labels=masks, class_labels=classes).loss
    ours = summed(model.loss(image(), samples(maps)))
    assert float(library) > 0
    torch.testing.assert_close(ours, library, rtol=1e-5, atol=1e-5)


def test_pixels_to_ignore_are_those_of_the_library_in_segformer():
    maps = MAPS.clone()
    maps[:, :20] = 255
    model = segmentor("segformer")
    library = model.network(image(), labels=maps).loss
    torch.testing.assert_close(summed(model.loss(image(), samples(maps))), library)


@pytest.fixture(scope="module", params=SEGMENTORS)
def pair(request):
    torch.manual_seed(1)
    model = build_seg(hf_seg_config(request.param))
    model.family = request.param
    model.student.load_state_dict(segmentor(request.param).state_dict())
    model.copy_student()
    return model


def learned(model, weights, labels=MAPS, seed=2):
    """Losses of the student, and their gradient at the predictions of the last layer."""
    kept = []
    head = model.student.decode_head
    forward = type(head).forward

    def keep(features):
        kept.append(forward(head, features))
        return kept[-1]

    views = Views(image(), [seg_sample(SIZE)] * 2)
    ones = torch.ones(2, *SIZE)
    targets = PixelLabels(labels.clone(), ones, weights, weights > 0)
    features = model.student.extract_feat(image())
    torch.manual_seed(seed)
    model.student.extract_feat = lambda _: features
    try:
        found = model.student_losses(views, targets)
    finally:
        del model.student.extract_feat
    return found, features


def test_weights_of_one_change_nothing_and_the_normalizer_is_a_count(pair):
    ones = torch.ones(2, *SIZE)
    torch.manual_seed(2)
    plain_loss = pair.student.loss(image(), samples())
    full, half, none = (learned(pair, ones * share)[0] for share in (1.0, 0.5, 0.0))
    keys = [key for key in full if "loss" in key]
    assert keys == [key for key in plain_loss if "loss" in key] and len(keys) >= 1
    for key in keys:
        assert full[key] > 0
        torch.testing.assert_close(half[key], full[key] * 0.5, rtol=1e-4, atol=1e-6)
        assert none[key] == 0
    if pair.family == "segformer":
        torch.testing.assert_close(full["decode.loss_ce"], plain_loss["decode.loss_ce"])


def test_every_head_supports_weights(pair):
    found = pair.pixel_weights[pair.student]
    assert found.weightless == [] and found.supports_weights


def test_pixels_of_weight_zero_teach_nothing(pair):
    """No gradient comes from the left half: not to logits, not to masks of any layer."""
    weights = torch.ones(2, *SIZE)
    weights[:, :, :32] = 0
    with torch.enable_grad():
        found, features = learned(pair, weights)
        if pair.family == "segformer":
            other = MAPS.clone()
            other[:, :, :32] = 0
            again, _ = learned(pair, weights, other)
            assert found["decode.loss_ce"] == again["decode.loss_ce"] > 0
            return
        chosen = sum(v for k, v in found.items() if "mask" in k or "dice" in k)
        gradients = torch.autograd.grad(chosen, features[1])
    for gradient in gradients:
        columns = gradient.abs().sum((0, 1, 2))
        side = len(columns) // 2
        assert not columns[: side - 1].any() and columns[side:].any()


def test_a_query_weighs_what_the_pixels_of_its_mask_weigh():
    """By hand, on two queries: the matched one that of its object, the other one its own."""
    from ssdet.losses.mask_sets import MaskTargets, query_weights

    labels = torch.full((4, 4), 255)
    labels[:, :2] = 1
    weights = torch.full((4, 4), 0.5)
    weights[:2, :2] = 1.0
    target = MaskTargets.of_map(labels, weights)
    assert target.labels.tolist() == [1] and target.shares.tolist() == [0.75]
    masks = torch.full((1, 3, 4, 4), -1.0)
    masks[0, 1, :, 1:] = 1.0  # 2 pixels of 1.0 and 2 of 0.5 are known, of 12
    match = [(torch.tensor([0]), torch.tensor([0]))]
    rows = query_weights(masks, [target], match)
    assert rows[0].tolist() == pytest.approx([0.75, 3 / 12, 6 / 16])


def test_training_moves_every_parameter_of_the_student(pair):
    torch.manual_seed(0)
    model = copy.deepcopy(pair)
    ema = TeacherEMAHook(0.9)
    for hook in (ema, FixedThresholdHook(0.2), CutMixHook(prob=1.0)):
        model.attach(hook)
    found = losses(model, seg_batch(size=SIZE, classes=CLASSES))
    total(found).backward()
    assert all(torch.isfinite(torch.as_tensor(v)).all() for v in found.values())
    assert any(k.startswith("unsup_") and "loss" in k and v > 0 for k, v in found.items())
    student = {n for n, p in model.student.named_parameters() if p.requires_grad}
    assert [n for n in student if model.student.get_parameter(n).grad is None] == []
    assert all(p.grad is None for p in model.teacher.parameters())


def test_prediction_is_that_of_the_library_and_any_size_is_labeled(pair):
    model = copy.deepcopy(pair).eval()
    with torch.no_grad():
        found = model.student.inference(image(), [dict(img_shape=SIZE, ori_shape=SIZE)] * 2)
        output = model.student.network(image())
        if pair.family == "segformer":
            expected = torch.nn.functional.interpolate(output.logits, SIZE, mode="bilinear")
            expected = expected if found.shape == expected.shape else output.logits
        else:
            masks = torch.nn.functional.interpolate(
                output.masks_queries_logits, SIZE, mode="bilinear"
            ).sigmoid()
            classes = output.class_queries_logits.softmax(-1)[..., :-1]
            expected = torch.einsum("bqc,bqhw->bchw", classes, masks)
        torch.testing.assert_close(found, expected)
        large = model.val_step(plain(seg_batch(sup=1, unsup=0, size=(96, 64))))[0]
    assert large.pred_sem_seg.data.shape == (1, 96, 64)


@pytest.mark.parametrize("family", SEGMENTORS)
def test_it_is_written_to_a_folder_of_transformers_and_read_from_it(family, tmp_path):
    model = segmentor(family).eval()
    model.save_pretrained(tmp_path, classes=["a", "b", "c"])
    config = hf_seg_config(family, pretrained=str(tmp_path))
    del config.config
    read = MODELS.build(config).eval()
    read.init_weights()  # by `from_pretrained`
    assert read.network.config.num_labels == CLASSES
    for key, value in model.network.state_dict().items():
        assert torch.equal(read.network.state_dict()[key], value), key


def test_a_run_is_exported_to_a_folder_of_transformers(tmp_path, capsys):
    from transformers import AutoModelForSemanticSegmentation

    pair = dict(type="TeacherStudentSegmentor", segmentor=hf_seg_config("segformer"))
    model = MODELS.build(pair)
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    meta = dict(dataset_meta=dict(classes=("a", "b", "c")))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), checkpoints / "iter_1.pth")
    dataset = dict(type="BaseSegDataset", pipeline=[dict(type="PackSegInputs")])
    config = dict(default_scope="mmseg", model=pair, test_dataloader=dict(dataset=dataset))
    Config(config).dump(tmp_path / "config.py")
    command = ["export", str(checkpoints / "iter_1.pth"), "--out", str(tmp_path / "out")]
    assert main([*command, "--format", "transformers"]) == 0
    assert "from_pretrained" in capsys.readouterr().out
    again = AutoModelForSemanticSegmentation.from_pretrained(tmp_path / "out").eval()
    assert again.config.id2label == {0: "a", 1: "b", 2: "c"}
    with torch.no_grad():
        expected = model.teacher.network.eval()(image(1)).logits
        assert torch.equal(again(image(1)).logits, expected)


def test_features_are_dropped_where_there_are_some():
    from ssdet.teacher_student.recording import changed_features

    with changed_features(segmentor("segformer"), lambda maps: [one * 0 for one in maps]):
        assert not segmentor("segformer").extract_feat(image())[0].any()
    with pytest.raises(TypeError, match="no features apart from its predictions"):
        changed_features(segmentor("mask2former"), lambda maps: maps).__enter__()


def test_settings_are_checked():
    with pytest.raises(UsageError, match="'vit' is not one of"):
        MODELS.build(dict(type="HFSegmentor", num_classes=3, config=dict(model_type="vit")))
    with pytest.raises(UsageError, match="num_classes=1; the background is one of"):
        MODELS.build(hf_seg_config("segformer", num_classes=1))
    with pytest.raises(UsageError, match="2 classes, but num_classes=3"):
        MODELS.build(hf_seg_config("segformer", classes=["a", "b"]))
    with pytest.raises(UsageError, match=r"takes images of 64 x 64, and this batch is 64 x 96"):
        segmentor("eomt").extract_feat(torch.zeros(1, 3, 64, 96))
