"""Each method of `ssdet init`: written for a model that it suits, refused for others by name."""

import json

import pytest
import torch
from mmengine.registry import HOOKS, MODELS, DefaultScope

from ssdet.cli import main
from ssdet.engine.configs import load_config
from ssdet.exits import UsageError
from ssdet.recipes import METHODS
from ssdet.recipes.bases import Base
from ssdet.recipes.needs import check_needs, choose_method, suits

TWO_STAGE = {name: "faster-rcnn-r50" for name in ("two-stage", "one box head")}
BASES = {**TWO_STAGE, "masks": "mask-rcnn-r50"}  # others: the tiny ones


@pytest.fixture
def written(coco, masks, tmp_path):
    """The file of a config of a method for a base."""

    def write(method, base):
        if METHODS[method].task == "detection":
            files = coco / "annotations"
            data = dict(
                labeled=files / "instances_labeled.json",
                unlabeled=coco / "train",
                val=files / "instances_val.json",
            )
        else:
            data = dict(labeled=masks, split="train", val_split="val", unlabeled=masks / "more")
        options = [f"--{key.replace('_', '-')}={value}" for key, value in data.items()]
        out = tmp_path / "config.py"
        assert main(["init", base, "--method", method, "--no-pretrained", *options,
                     "--out", str(out)]) == 0  # fmt: skip
        return out

    return write


@pytest.mark.parametrize("name", METHODS)
def test_method_is_written_as_it_is_shipped(name, written, detector, segmentor):
    method = METHODS[name]
    tiny = detector if method.task == "detection" else segmentor
    config = load_config(str(written(name, BASES.get(method.needs, tiny))))
    with DefaultScope.overwrite_default_scope(config.default_scope):
        with torch.device("meta"):
            model = MODELS.build(config.model)
        for hook in config.custom_hooks:
            HOOKS.build(hook).on_attach(model)

    variables = ("iterations", "momentum", "lr", "image_scale", "crop_size", "with_mask", "batch")
    values = {key: config[key] for key in variables if key in config}
    shipped = load_config(method.config, values)
    networks = ("detector", "segmentor")
    for ours, theirs in (
        (config.custom_hooks, shipped.custom_hooks),
        (config.param_scheduler, shipped.param_scheduler),
        ({k: v for k, v in config.model.items() if k not in networks},
         {k: v for k, v in shipped.model.items() if k not in networks}),
        (unlabeled(config).pipeline, unlabeled(shipped).pipeline),
    ):  # fmt: skip
        assert without_data(ours) == without_data(theirs)


def unlabeled(config):
    return config.train_dataloader.dataset.datasets[1]


def without_data(part):
    """As plain values, without the data set of labeled images that a hook may have."""
    if isinstance(part, dict):
        return {key: without_data(value) for key, value in part.items() if key != "labeled"}
    return [without_data(item) for item in part] if isinstance(part, (list, tuple)) else part


def base(name, **model):
    task = "segmentation" if "decode_head" in model else "detection"
    return Base(name, {"model": model}, task, None, {})


RCNN = dict(rpn_head=dict(type="RPNHead"), roi_head=dict(bbox_head=dict(type="Shared2FCBBoxHead")))
MODELS_OF_ALL_KINDS = {
    "retina": base("retina", bbox_head=dict(type="RetinaHead")),
    "rcnn": base("rcnn", **RCNN),
    "cascade": base("cascade", **{**RCNN, "roi_head": dict(bbox_head=[{}, {}, {}])}),
    "mask-rcnn": base("mask-rcnn", **{**RCNN, "roi_head": dict(bbox_head={}, mask_head={1: 1})}),
    "sparse": base("sparse", **{**RCNN, "rpn_head": dict(type="EmbeddingRPNHead")}),
    "dino": base("dino", bbox_head=dict(type="DINOHead"), encoder={}, decoder={}),
    "fcn": base("fcn", decode_head=dict(type="FCNHead")),
    "uper": base("uper", decode_head=[dict(type="FCNHead"), dict(type="UPerHead")]),
    "mask2former": base("mask2former", decode_head=dict(type="Mask2FormerHead", num_queries=100)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "kind", "instead"),
    [
        ("soft-teacher", "retina", "soft-teacher-one-stage"),
        ("soft-teacher", "dino", "mean-teacher"),
        ("soft-teacher", "sparse", "mean-teacher"),
        ("soft-teacher-one-stage", "rcnn", "soft-teacher"),
        ("soft-teacher-one-stage", "dino", "mean-teacher"),
        ("unbiased-teacher", "cascade", "soft-teacher"),
        ("unbiased-teacher", "retina", "soft-teacher-one-stage"),
        ("copy-paste", "rcnn", "mixpl"),
        ("cw-bass", "mask2former", "fixmatch"),
        ("mean-teacher-soft", "mask2former", "fixmatch"),
    ],
)
def test_model_that_a_method_does_not_suit(method, kind, instead):
    with pytest.raises(UsageError, match=f"{kind}' is none; take --method {instead} with it"):
        check_needs(method, MODELS_OF_ALL_KINDS[kind])


def test_methods_suit_what_they_are_for_and_name_another_one_for_the_rest():
    suited = {
        name: {
            kind
            for kind, model in MODELS_OF_ALL_KINDS.items()
            if model.task == method.task and suits(name, model)
        }
        for name, method in METHODS.items()
    }
    assert suited["soft-teacher"] == {"rcnn", "cascade", "mask-rcnn"}
    assert suited["soft-teacher-one-stage"] == {"retina"}
    assert suited["unbiased-teacher"] == {"rcnn", "mask-rcnn"}
    assert suited["copy-paste"] == {"mask-rcnn"}
    assert suited["cw-bass"] == {"fcn", "uper"}
    assert suited["mixpl"] == {"retina", "rcnn", "cascade", "mask-rcnn", "sparse", "dino"}
    for name, method in METHODS.items():
        every = {kind for kind, m in MODELS_OF_ALL_KINDS.items() if m.task == method.task}
        assert suited[name].union(*(suited[other] for other in method.instead)) == every, name


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [
        ("mask-rcnn", "copy-paste"),
        ("rcnn", "mixpl"),
        ("dino", "mixpl"),
        ("mask2former", "classmix"),
    ],
)
def test_the_method_is_chosen_for_the_model(kind, chosen):
    assert choose_method("auto", MODELS_OF_ALL_KINDS[kind]) == chosen
    assert choose_method("fixmatch", MODELS_OF_ALL_KINDS[kind]) == "fixmatch", "a name is a choice"


def test_without_a_method_one_is_chosen_and_named(coco, detector, tmp_path, capsys):
    files, out = coco / "annotations", tmp_path / "config.py"
    assert main(["init", detector, "--labeled", str(files / "instances_labeled.json"),
                 "--unlabeled", str(coco / "train"), "--val", str(files / "instances_val.json"),
                 "--no-pretrained", "--out", str(out)]) == 0  # fmt: skip
    assert f"{out}: mixpl for" in capsys.readouterr().out
    hooks = [hook.type for hook in load_config(str(out)).custom_hooks]
    assert "PseudoMosaicHook" in hooks


def test_refusal_on_the_command_line(coco, detector, tmp_path, capsys):
    files = coco / "annotations"
    code = main(["init", detector, "--method", "copy-paste", "--unlabeled", str(coco / "train"),
                 "--labeled", str(files / "instances_labeled.json"),
                 "--out", str(tmp_path / "config.py")])  # fmt: skip
    assert code == 2
    assert "take --method mixpl" in capsys.readouterr().err
    assert not list(tmp_path.glob("config*")), "nothing half done"


def test_list(capsys):
    with pytest.raises(SystemExit):
        main(["init", "--list"])
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("  ")]
    for name, method in METHODS.items():
        assert any(line.split(maxsplit=1) == [name, method.does] for line in lines), name
    assert max(map(len, lines)) < 100


@pytest.mark.parametrize(
    ("name", "seen"),
    [("dual-thresholds", "dual_threshold/"), ("unimatch", "unsup_features_")],
)
def test_training(name, seen, written, detector, segmentor, tmp_path):
    path = written(name, detector if METHODS[name].task == "detection" else segmentor)
    options = (
        "iterations=20", "num_workers=0", "model.burn_in=0", "train_cfg.max_iters=2",
        "train_cfg.val_interval=2", "default_hooks.metrics.interval=1",
    )  # fmt: skip
    folder = tmp_path / "run"
    assert main(["train", str(path), "--work-dir", str(folder), "--cfg-options", *options]) == 0
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if line["mode"] == "train"][-1]
    assert last["iter"] == 2
    assert last["loss"] > 0
    assert any(key.startswith(seen) for key in last), sorted(last)
