"""`ssdet train --dry-run` and `ssdet doctor CONFIG` try a training out: short, whole, and told."""

import importlib.util
import re
import socket
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from ssdet.cli import main
from ssdet.engine import trial
from ssdet.recipes.models import BASES, find_base, fit_model

# Bases of every family that `ssdet init` takes, beside its short names.
OTHERS = [
    "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py",
    "mmdet::yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py",
    "mmdet::yolof/yolof_r50-c5_8xb8-1x_coco.py",
    "mmdet::tood/tood_r50_fpn_1x_coco.py",
    "mmdet::paa/paa_r50_fpn_1x_coco.py",
    "mmdet::foveabox/fovea_r50_fpn_4xb4-1x_coco.py",
    "mmdet::fsaf/fsaf_r50_fpn_1x_coco.py",
    "mmdet::free_anchor/freeanchor_r50_fpn_1x_coco.py",
    "mmdet::reppoints/reppoints-moment_r50_fpn_1x_coco.py",
    "mmdet::vfnet/vfnet_r50_fpn_1x_coco.py",
    "mmdet::autoassign/autoassign_r50-caffe_fpn_1x_coco.py",
    "mmdet::nas_fcos/nas-fcos_r50-caffe_fpn_nashead-gn-head_4xb4-1x_coco.py",
    "mmdet::libra_rcnn/libra-faster-rcnn_r50_fpn_1x_coco.py",
    "mmdet::dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py",
    "mmdet::double_heads/dh-faster-rcnn_r50_fpn_1x_coco.py",
    "mmdet::sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py",
    "mmdet::detr/detr_r50_8xb2-150e_coco.py",
    "mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py",
    "mmdet::conditional_detr/conditional-detr_r50_8xb2-50e_coco.py",
    "mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py",
    "mmdet::solo/solo_r50_fpn_1x_coco.py",
    "mmdet::point_rend/point-rend_r50-caffe_fpn_ms-1x_coco.py",
    "mmdet::ms_rcnn/ms-rcnn_r50_fpn_1x_coco.py",
    "mmdet::condinst/condinst_r50_fpn_ms-poly-90k_coco_instance.py",
    "mmdet::rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py",
    "mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py",
    "mmdet::pvt/retinanet_pvt-t_fpn_1x_coco.py",
    "mmdet::regnet/retinanet_regnetx-800MF_fpn_1x_coco.py",
    "mmseg::fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py",
    "mmseg::bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py",
    "mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py",
    "mmseg::hrnet/fcn_hr18s_4xb2-80k_cityscapes-512x1024.py",
    "mmseg::ocrnet/ocrnet_hr18s_4xb2-80k_cityscapes-512x1024.py",
    "mmseg::stdc/stdc1_4xb12-80k_cityscapes-512x1024.py",
    "mmseg::ccnet/ccnet_r50-d8_4xb2-40k_cityscapes-512x1024.py",
    "mmseg::danet/danet_r50-d8_4xb2-40k_cityscapes-512x1024.py",
    "mmseg::sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py",
    "mmseg::mobilenet_v2/mobilenet-v2-d8_fcn_4xb2-80k_cityscapes-512x1024.py",
    "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py",
    "mmseg::ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py",
    "mmseg::pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py",
    "mmseg::unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py",
]
# Segmentors among the configs of ours.
SEGMENTORS = (
    "deeplabv3plus_lite0", "fpn_lite0", "dinov3-s_dpt", "dinov3-b_dpt", "dinov3-s_linear",
    "dinov3-b_linear", "segformer_b0_hf", "mask2former_swin-t",
)  # fmt: skip
# The cheapest of each kind, for every run of the suite.
FAST = ["rtmdet-lite0", "fpn-lite0"]


@pytest.fixture
def written(coco, masks, tmp_path, monkeypatch):
    """Write a config for a base on small images."""
    monkeypatch.chdir(tmp_path)

    def write(base, *options):
        path = BASES.get(base, base)
        segments = path.startswith("mmseg") or Path(path).stem in SEGMENTORS or "tiny_seg" in path
        if segments:
            data = ["--labeled", masks, "--unlabeled", masks / "more"]
        else:
            files = coco / "annotations"
            data = ["--labeled", files / "instances_labeled.json", "--unlabeled", coco / "train",
                    "--val", files / "instances_val.json"]  # fmt: skip
        return main(["init", base, "--weights", "none", "--batch", "2", "2", *options,
                     *map(str, data)])  # fmt: skip

    return write


def try_out(capsys, *options):
    code = main(["train", "config.py", "--dry-run", *options])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_what_is_told(written, detector, capsys):
    assert written(detector, "--method", "mean-teacher", "--iterations", "40") == 0
    before = {path for path in Path().rglob("*") if path.name != "config.py"}
    code, told = try_out(capsys)
    assert code == 0, told
    assert re.search(r"s a step .* GB on the [CG]PU; 40 iterations and \d+ evaluations", told)
    assert "sup_loss_cls" in told.replace("sup/", "sup_") and "unsup" in told
    assert {path for path in Path().rglob("*") if path.name != "config.py"} == before
    assert main(["doctor", "config.py"]) == 0
    assert "looked at model: 2 steps, an evaluation, a checkpoint" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("bbox_head.in_channels", 5, "a step of training fails: RuntimeError"),
        ("bbox_head.type", "NoHead", "building it fails: .*NoHead"),
    ],
)
def test_what_fails_is_named_with_its_part(written, detector, capsys, key, value, told):
    assert written(detector, "--method", "mean-teacher") == 0
    config = Config.fromfile("config.py")
    config.merge_from_dict({f"model.detector.{key}": value})
    config.dump("config.py")
    capsys.readouterr()
    assert main(["train", "config.py", "--dry-run"]) != 0
    assert re.search(told, capsys.readouterr().err)
    assert main(["doctor", "config.py"]) == 65
    assert "training that does not run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("base", "told"),
    [
        (
            "mmdet::centernet/centernet_r18_8xb16-crop512-140e_coco.py",
            "CenterNetHead needs",
        ),
        ("mmdet::ssd/ssd300_coco.py", "SSDHead computes its losses itself"),
        (
            "mmdet::yolact/yolact_r50_1xb8-55e_coco.py",
            "YOLACTHead needs images of one size, as its own pipeline makes them; take another "
            "model, such as mask-rcnn-r50",
        ),
        ("mmdet::panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py", "semantic_head learns from label"),
    ],
)
def test_models_that_need_more_than_labels_are_refused_by_name(written, capsys, base, told):
    assert written(base) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("package", ["mmseg", "mmdet"])
def test_a_base_of_a_missing_package_is_refused_with_its_name(written, capsys, package):
    if importlib.util.find_spec("mmpretrain"):
        pytest.skip("mmpretrain is installed")
    names = {
        "mmseg": "convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py",
        "mmdet": "mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py",
    }
    assert written(f"{package}::convnext/{names[package]}") == 2
    told = capsys.readouterr().err
    assert "it needs the package mmpretrain, which is not installed here" in told
    assert "sys.path" not in told


def test_random_weights_name_no_file_in_any_backbone():
    model = fit_model(find_base("mmdet::pvt/retinanet_pvt-t_fpn_1x_coco.py"), pretrained=False)
    assert model["backbone"]["init_cfg"] is None and "checkpoint" not in str(model)


@pytest.mark.parametrize("base", FAST)
def test_bases(written, capsys, base):
    assert written(base) == 0, capsys.readouterr().err
    code, told = try_out(capsys)
    assert code == 0, told


@pytest.mark.bases
@pytest.mark.parametrize("base", [*(name for name in BASES if name not in FAST), *OTHERS])
def test_every_base(written, capsys, base):
    assert written(base) == 0, capsys.readouterr().err
    options = few_boxes(find_base(base).model)
    # Its 900 candidates are more than the images of these tests have.
    options += ["image_scale=(448, 448)"] if "dino" in base else []
    code, told = try_out(capsys, *(["--cfg-options", *options] if options else []))
    assert code == 0, told


def few_boxes(model):
    """Options for two stages, whose hundreds of boxes take minutes; here they only have to run."""
    if not (model.get("roi_head") and model["train_cfg"].get("rpn_proposal")):
        return []  # Sparse R-CNN has learned proposals
    stages = model["train_cfg"]["rcnn"]
    places = ["rcnn"] if isinstance(stages, dict) else [f"rcnn.{n}" for n in range(len(stages))]
    places = [f"train_cfg.{place}.sampler.num=32" for place in places]
    places += ["train_cfg.rpn_proposal.max_per_img=50", "test_cfg.rpn.max_per_img=50"]
    return [f"model.detector.{place}" for place in places]


def test_images_too_small_for_a_model_are_told_in_its_words():
    error = trial._explained(RuntimeError("selected index k out of range"), "c.py", "a step")
    assert str(error).endswith("than such small images have: make image_scale larger")


def test_losses_are_read_without_a_warning():
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            watch = trial._Watch(trial.Trial(), [""])
            losses = {"loss": torch.ones(1, requires_grad=True).sum(), "kept": 3.0, "loss_a": 2.0}
            watch.after_train_iter(SimpleNamespace(iter=0), 0, None, losses)
    finally:
        torch.set_warn_always(False)
    assert watch.trial.losses == {"loss": 1.0, "loss_a": 2.0}


def test_weights_out_of_reach_are_told_with_the_way_around(written, detector, capsys, monkeypatch):
    def connect(place, timeout):
        raise OSError(101, "no network")

    monkeypatch.setattr(socket, "create_connection", connect)
    assert written(detector, "--method", "mean-teacher") == 0
    config = Config.fromfile("config.py")
    config.load_from = "mmdet://retinanet_r50_fpn_1x_coco"
    config.dump("config.py")
    monkeypatch.setenv("TORCH_HOME", str(Path("nothing").resolve()))
    assert main(["doctor", "config.py"]) == 65
    told = capsys.readouterr().out
    assert "building it fails: weights mmdet://retinanet" in told
    assert "> Fetch the file as the note on weights says" in told and "--weights none" in told
    assert "SSDET_TRACEBACK" not in told and "\\n" not in told


def test_memory_is_in_bytes_on_every_system(monkeypatch):
    usage = SimpleNamespace(ru_maxrss=7)
    monkeypatch.setitem(
        sys.modules, "resource",
        SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: usage),
    )  # fmt: skip
    for system, expected in (("linux", 7 * 1024), ("darwin", 7)):
        monkeypatch.setattr(sys, "platform", system)
        assert trial._peak() == expected
    monkeypatch.setitem(sys.modules, "resource", None)  # Windows
    assert trial._peak() == 0 and " GB " not in trial.Trial().told
