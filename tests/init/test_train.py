"""What `ssdet init` writes trains as it is, is short, and says what was done with the data."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from PIL import Image

import ssdet
from ssdet.cli import main
from ssdet.recipes import BASES
from ssdet.recipes.models import find_base, fit_model, model_settings
from ssdet.recipes.writer import assign

SHORT = [
    "iterations=20", "num_workers=0", "model.burn_in=2", "train_cfg.val_interval=20",
    "default_hooks.checkpoint.interval=20", "default_hooks.metrics.interval=5",
]  # fmt: skip


def init(*arguments):
    return main(["init", *map(str, arguments)])


def train(config, folder, *options):
    """Iterations of the run's log, and what its evaluation said."""
    assert main(["train", str(config), "--work-dir", str(folder), "--cfg-options",
                 *SHORT, *options]) == 0  # fmt: skip
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return tuple([line for line in lines if line["mode"] == mode] for mode in ("train", "val"))


def test_detection_from_coco(coco, detector, tmp_path, capsys):
    files, out = coco / "annotations", tmp_path / "config.py"
    assert init(
        detector, "--method", "mean-teacher", "--labeled", files / "instances_labeled.json",
        "--unlabeled", files / "instances_train-unlabeled.json",
        "--val", files / "instances_val.json", "--out", out,
    ) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "6 labeled, 6 unlabeled and 3 validation images" in said
    assert f"ssdet train {out}" in said
    assert not out.with_name("config_data").exists(), "nothing had to be converted"
    config = Config.fromfile(out)
    assert config.labeled_source.type == "CocoDataset"
    assert config.image_scale == (64, 64)
    assert config.iterations == 2000
    logged, evaluated = train(out, tmp_path / "run")
    assert logged[-1]["iter"] == 20
    assert all(line["loss"] > 0 for line in logged)
    assert evaluated, "both models were evaluated"


def test_detection_from_voc_with_held_out_images(voc, detector, tmp_path, capsys):
    out = tmp_path / "config.py"
    folder = voc / "JPEGImages"
    assert init(detector, "--method", "mean-teacher", "--labeled", voc, "--unlabeled", folder,
                "--out", out) == 0  # fmt: skip
    assert "are held out to validate on" in capsys.readouterr().out
    config = Config.fromfile(out)
    kept, val = (
        set((tmp_path / "config_data" / f"{name}-images.txt").read_text().split())
        for name in ("labeled", "val")
    )
    assert len(val) == round(0.2 * len(kept | val))
    assert not kept & val
    listed = (tmp_path / "config_data" / "unlabeled-images.txt").read_text().split()
    assert not {name.rpartition("/")[2] for name in val} & set(listed), "held out of both"
    assert config.labeled_source.type == config.val_source.type == "LabeledImages"
    assert "ann_file" not in config.val_evaluator
    _, evaluated = train(out, tmp_path / "run", "train_cfg.val_interval=10")
    assert len(evaluated) == 2


def test_segmentation_from_masks(masks, segmentor, tmp_path):
    out = tmp_path / "config.py"
    assert init(segmentor, "--method", "fixmatch", "--labeled", masks, "--split", "train",
                "--val-split", "val", "--unlabeled", masks / "more", "--out", out,
                "--batch", 2, 3, "--iterations", 40) == 0  # fmt: skip
    config = Config.fromfile(out)
    assert config.classes == ("ground", "box")
    assert config.crop_size == (32, 32)
    assert config.batch == (2, 3)
    assert config.iterations == 40
    _, evaluated = train(out, tmp_path / "run")
    assert {"teacher/mIoU", "student/mIoU"} <= evaluated[-1].keys()


@pytest.mark.parametrize(
    ("base", "padding"),
    [
        ("mmseg::unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py", dict(size_divisor=32)),
        ("deeplabv3plus-r50", None),
    ],
)
def test_maps_that_must_halve_evenly_are_padded_in_an_evaluation(base, padding):
    model = fit_model(find_base(base), pretrained=False)
    assert model["data_preprocessor"].get("test_cfg") == padding


def test_a_plain_script_reads_a_config_of_mmsegmentation(masks, tmp_path):
    """MMEngine alone looks for the package `mmsegmentation`, and knows no `ssdet::`."""
    out = tmp_path / "config.py"
    assert init("deeplabv3plus-r18", "--method", "fixmatch", "--labeled", masks, "--split",
                "train", "--unlabeled", masks / "more", "--out", out) == 0  # fmt: skip
    assert "mmseg::" in out.read_text()
    (tmp_path / "inherits.py").write_text("_base_ = './config.py'\n")
    script = (
        "from mmengine.config import Config; "
        "print(Config.fromfile('inherits.py').model.segmentor.decode_head.type)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["DepthwiseSeparableASPPHead"], done.stderr


def test_the_function_gives_the_same(coco, detector, tmp_path):
    files, out = coco / "annotations", tmp_path / "config.py"
    sources = dict(
        labeled=files / "instances_labeled.json",
        unlabeled=coco / "train",
        val=files / "instances_val.json",
    )
    init(detector, "--method", "mean-teacher", "--out", out, "--gpus", 4,
         *(part for key, path in sources.items() for part in (f"--{key}", path)))  # fmt: skip
    config = ssdet.semi_supervise(
        detector, method="mean-teacher", gpus=4, work=tmp_path / "work", **sources
    )
    assert config._cfg_dict == Config.fromfile(out)._cfg_dict
    assert config.batch == (1, 2), "six labeled images for four processes"
    assert config.total_batch == (4, 8)
    assert config.optim_wrapper.optimizer.lr == 0.0025 * 4 * 1 / 2


@pytest.mark.parametrize("name", BASES)
def test_short_names(name):
    base = find_base(name)
    variable = "detector" if base.task == "detection" else "segmentor"
    settings = {
        "_base_": [base.inherited] if base.inherited else [],
        "crop_size": (64, 64),
        "classes": ("a", "b", "c"),
        **model_settings(base, fit_model(base, pretrained=False)),
    }
    text = "".join(f"{assign(target, value)}\n" for target, value in settings.items())
    config = Config.fromstring(text, ".py")
    assert "Pretrained" not in str(config[variable])
    scope = "mmdet" if base.task == "detection" else "mmseg"
    # Some of LW-DETR's parameters are on the CPU wherever it is built.
    device = torch.device("cpu" if "segformer" in name or "lwdetr" in name else "meta")
    with DefaultScope.overwrite_default_scope(scope), device:
        model = MODELS.build(config[variable])
    heads = [m.num_classes for m in model.modules() if hasattr(m, "num_classes")]
    assert 3 in heads
    assert set(heads) <= {1, 3}, "RPN has one class"


def test_a_mean_with_class_weights_stays_as_it_is():
    """MMSegmentation's cross entropy fails with both, and never counts ignored pixels in these."""
    model = fit_model(find_base("mmseg::pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py"))
    assert "avg_non_ignore" not in model["decode_head"]["loss_decode"][0]
    model = fit_model(find_base("mmseg::fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py"))
    assert model["decode_head"]["loss_decode"]["avg_non_ignore"]


def test_a_model_that_reads_names_is_given_those_of_the_classes():
    base = find_base("mmseg::san/san-vit-b16_voc12aug-640x640.py")
    settings = {"_base_": [base.inherited], "crop_size": (64, 64), "classes": ("a", "b"),
                **model_settings(base, fit_model(base))}  # fmt: skip
    text = "".join(f"{assign(target, value)}\n" for target, value in settings.items())
    segmentor = Config.fromstring(text, ".py").segmentor
    assert segmentor.text_encoder.vocabulary == ["a", "b"]
    assert segmentor.text_encoder.dataset_name is None
    assert segmentor.decode_head.num_classes == 2
    # (MMSegmentation's config has 171 weights for its 20 classes, and that of nothing behind them.)
    assert segmentor.decode_head.loss_decode[0].class_weight == [1.0, 1.0, 0.1]
    assert segmentor.pretrained.endswith(".pth")


def loaded(out, scope):
    """The first labeled sample of a config, and its validation set."""
    config = Config.fromfile(out)
    with DefaultScope.overwrite_default_scope(scope):
        train_set = DATASETS.build(config.train_dataloader.dataset)
        val_set = DATASETS.build(config.val_dataloader.dataset)
    return train_set[0]["data_samples"]["sup"], val_set


def test_outlines_are_loaded_for_models_that_learn_them(coco, tmp_path):
    files, out = coco / "annotations", tmp_path / "config.py"
    assert init("mask-rcnn-r50", "--method", "mean-teacher", "--out", out, "--labeled",
                files / "instances_labeled.json", "--unlabeled", coco / "train") == 0  # fmt: skip
    sample, val_set = loaded(out, "mmdet")
    assert len(sample.gt_instances.masks) == len(sample.gt_instances.bboxes) > 0
    assert len(val_set) == 1, "a fifth of six"


def test_label_maps_become_boxes_beside_the_config(masks, detector, tmp_path, capsys):
    before = sorted(masks.rglob("*"))
    out = tmp_path / "config.py"
    assert init(detector, "--method", "mean-teacher", "--labeled", masks, "--split", "train",
                "--val-split", "val", "--unlabeled", masks / "more", "--out", out) == 0  # fmt: skip
    assert "became boxes, one for each connected region" in capsys.readouterr().out
    sample, val_set = loaded(out, "mmdet")
    assert sample.gt_instances.bboxes.shape == (2, 4), "two classes: neither is called background"
    assert len(val_set) == 3
    assert val_set.metainfo["classes"] == ("ground", "box")
    assert sorted(masks.rglob("*")) == before, "nothing is written into the data"


def test_outlines_become_label_maps_beside_the_config(coco, segmentor, tmp_path, capsys):
    files, out = coco / "annotations", tmp_path / "config.py"
    assert init(segmentor, "--method", "fixmatch", "--labeled", files / "instances_labeled.json",
                "--val", files / "instances_val.json", "--unlabeled", coco / "train",
                "--out", out) == 0  # fmt: skip
    assert "became label maps" in capsys.readouterr().out
    sample, val_set = loaded(out, "mmseg")
    assert val_set.metainfo["classes"][0] == "background"
    assert len(val_set) == 3
    assert sample.gt_sem_seg.data.unique().numel() > 1


def test_gray_values_become_labels_beside_the_config(masks, segmentor, tmp_path):
    data, out = tmp_path / "binary", tmp_path / "config.py"
    for path in (masks / "masks").rglob("*.png"):
        target = data / path.relative_to(masks)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(Image.open(path)) * 255).save(target)
    (data / "images").symlink_to(masks / "images")
    arguments = (segmentor, "--method", "fixmatch", "--labeled", data, "--split", "train",
                 "--val-split", "val", "--unlabeled", masks / "more", "--follow-links",
                 "--out", out)  # fmt: skip
    assert init(*arguments, "--ignore", "255") == 65, "one class: 255 is ignored"
    assert init(*arguments, "--values", "0,255") == 0
    sample, _ = loaded(out, "mmseg")
    assert set(sample.gt_sem_seg.data.unique().tolist()) <= {0, 1, 255}
    assert sample.gt_sem_seg.data.eq(0).any()


def test_pretrained_weights_and_frozen_stages_stay_unless_refused():
    base = find_base("retinanet-r50")
    assert fit_model(base, pretrained=True)["backbone"]["frozen_stages"] == 1
    scratch = fit_model(base, pretrained=False)["backbone"]
    assert (scratch["frozen_stages"], scratch["init_cfg"]) == (-1, None)
    assert scratch["norm_eval"] is False
