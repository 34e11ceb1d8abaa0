"""Each method of `ssdet init`: written for a model that it suits, refused for others by name."""

import json

import pytest
import torch
from mmengine.registry import HOOKS, MODELS, DefaultScope

from ssdet.cli import main
from ssdet.doctor.findings import Findings
from ssdet.doctor.settings import check_settings
from ssdet.engine.configs import load_config
from ssdet.exits import UsageError
from ssdet.recipes import METHODS
from ssdet.recipes.models import Base
from ssdet.recipes.needs import check_needs, choose_method, suits
from ssdet.recipes.recipe import Code, Note
from ssdet.recipes.views import STRONG

TWO_STAGE = {name: "faster-rcnn-r50" for name in ("two-stage", "one box head")}
MASKS = {name: "mask-rcnn-r50" for name in ("masks", "one mask head")}
DETR = "mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py"
BASES = {
    **TWO_STAGE,
    **MASKS,
    "queries": DETR,
    "objectness": "rtmdet-tiny",
}  # others: the tiny ones


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
        if METHODS[method].asks == "external":
            options.append(f"--external={coco / 'annotations' / 'instances_train.json'}")
        elif METHODS[method].asks == "tags":
            name = "0" if METHODS[method].task == "detection" else "ground"
            (tmp_path / "tags.json").write_text(json.dumps({"000.jpg": [name]}))
            options.append(f"--tags={tmp_path / 'tags.json'}")
        out = tmp_path / "config.py"
        assert main(["init", base, "--method", method, "--no-pretrained", *options,
                     "--out", str(out)]) == 0  # fmt: skip
        return out

    return write


@pytest.mark.parametrize("name", METHODS)
def test_the_config_has_what_the_recipe_says(name, written, detector, segmentor):
    recipe = METHODS[name]
    tiny = detector if recipe.task == "detection" else segmentor
    config = load_config(str(written(name, BASES.get(recipe.needs, tiny))))
    with DefaultScope.overwrite_default_scope(config.default_scope):
        with torch.device("meta"):
            model = MODELS.build(config.model)
        for hook in config.custom_hooks:
            HOOKS.build(hook).on_attach(model)

    findings = Findings()
    check_settings(config, [], findings)
    assert [f for f in findings.found if f.where == "custom_hooks"] == []

    def said(value):
        return evaluated(value, plain(config._cfg_dict))

    *hooks, last = plain(config.custom_hooks)
    assert hooks == said(recipe.hooks)
    assert last["type"] == "GalleryHook"
    assert plain(config.model).items() >= said(recipe.model).items()
    for place, value in recipe.network.items():
        part = config.model.detector
        for key in place.split("."):
            part = part[key]
        assert plain(part) == said(value)
    (step,) = config.train_dataloader.dataset.datasets[1].pipeline
    views = [view for branch, view in step.views.items() if branch.startswith("unsup_student")]
    strong = said(STRONG[recipe.task] if recipe.strong is None else recipe.strong)
    assert len(views) == recipe.strong_views
    if recipe.task == "detection":
        moved = [part.type for part in step.views.unsup_teacher[:-1]]
        assert bool(moved) != recipe.same_geometry, "else each view moves by itself"
    for view in views:
        assert plain(view)[-1 - len(strong) : -1] == strong, "the last one packs"


def plain(part):
    """A part of a config as plain dicts and lists."""
    if isinstance(part, dict):
        return {key: plain(value) for key, value in part.items()}
    return [plain(item) for item in part] if isinstance(part, (list, tuple)) else part


def evaluated(part, names):
    """What a recipe says, its code as values of the variables of a config."""
    if isinstance(part, Note):
        return evaluated(part.value, names)
    if isinstance(part, Code):
        return eval(part, dict(names))  # noqa: S307
    if isinstance(part, dict):
        return {key: evaluated(value, names) for key, value in part.items()}
    return [evaluated(item, names) for item in part] if isinstance(part, (list, tuple)) else part


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
        ("dense-teacher", "rcnn", "mean-teacher"),
        ("semi-detr", "retina", "mean-teacher"),
        ("efficient-teacher", "retina", "mean-teacher"),
        ("copy-paste", "rcnn", "mixpl"),
        ("cw-bass", "mask2former", "fixmatch"),
        ("mean-teacher-soft", "mask2former", "fixmatch"),
    ],
)
def test_model_that_a_method_does_not_suit(method, kind, instead):
    with pytest.raises(UsageError, match=f"{kind}' is not one; use --method {instead} with it"):
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
    assert suited["semi-detr"] == {"dino"}
    assert suited["cw-bass"] == {"fcn", "uper"}
    assert suited["mixpl"] == {"retina", "rcnn", "cascade", "mask-rcnn", "sparse", "dino"}
    for name, method in METHODS.items():
        every = {kind for kind, m in MODELS_OF_ALL_KINDS.items() if m.task == method.task}
        assert suited[name].union(*(suited[other] for other in method.instead)) == every, name


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [
        ("mask-rcnn", "copy-paste"),
        ("rcnn", "mixpl-by-class"),
        ("dino", "mixpl-by-class"),
        ("mask2former", "classmix"),
    ],
)
def test_the_method_is_chosen_for_the_model(kind, chosen):
    assert choose_method("auto", MODELS_OF_ALL_KINDS[kind]) == chosen
    named = "mean-teacher" if MODELS_OF_ALL_KINDS[kind].task == "detection" else "fixmatch"
    assert choose_method(named, MODELS_OF_ALL_KINDS[kind]) == named, "a name is a choice"


def test_without_a_method_one_is_chosen_and_named(coco, detector, tmp_path, capsys):
    files, out = coco / "annotations", tmp_path / "config.py"
    assert main(["init", detector, "--labeled", str(files / "instances_labeled.json"),
                 "--unlabeled", str(coco / "train"), "--val", str(files / "instances_val.json"),
                 "--no-pretrained", "--out", str(out)]) == 0  # fmt: skip
    assert f"{out}: mixpl-by-class for" in capsys.readouterr().out
    hooks = [hook.type for hook in load_config(str(out)).custom_hooks]
    assert "PseudoMosaicHook" in hooks


def test_refusal_on_the_command_line(coco, detector, tmp_path, capsys):
    files = coco / "annotations"
    code = main(["init", detector, "--method", "copy-paste", "--unlabeled", str(coco / "train"),
                 "--labeled", str(files / "instances_labeled.json"),
                 "--out", str(tmp_path / "config.py")])  # fmt: skip
    assert code == 2
    assert "use --method mixpl" in capsys.readouterr().err
    assert not list(tmp_path.glob("config*")), "nothing half done"


@pytest.mark.parametrize(
    ("name", "seen"),
    [("dual-thresholds", "dual_threshold/"), ("unimatch", "unsup_features_"),
     ("calibrated", "threshold/")],
)  # fmt: skip
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


def test_the_supervised_loss_is_a_mean_over_labeled_pixels(written):
    """MMSegmentation's default divides by ignored pixels too."""
    model = load_config(written("classmix", "upernet-r18")).model.segmentor
    heads = [model.decode_head, model.auxiliary_head]
    assert [head.loss_decode.avg_non_ignore for head in heads] == [True, True]
