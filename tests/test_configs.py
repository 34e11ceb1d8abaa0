"""Every shipped config loads, builds its model and its hooks, and is worth its comments."""

import re
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
import torch
from mmengine.registry import HOOKS, MODELS, DefaultScope

from ssdet.doctor.findings import Findings
from ssdet.doctor.settings import check_settings
from ssdet.engine.configs import find_config, load_config
from ssdet.engine.renamed_configs import NEW_NAMES, WRITTEN_BY_INIT
from ssdet.exits import UsageError
from ssdet.hooks import StepHook
from ssdet.recipes import BASES, METHODS
from ssdet.teacher_student import TeacherStudent

from .helpers import on_meta

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
FILES = {str(path.relative_to(CONFIGS)): path.read_text() for path in CONFIGS.rglob("*.py")}
# What begins with an underscore is a part of configs: a base, or what a method is on all data.
NAMES = sorted(name for name in FILES if not re.search("(^|/)_", name))
COMPOSED = sorted(FILES)
MODEL_NAMES = (
    *("cascade-rcnn", "dino", "faster-rcnn", "fcos", "gfl", "mask-rcnn", "mask2former"),
    *("ms-rcnn", "retinanet", "rtmdet"),
    *("deeplabv3plus", "dpt", "segformer", "siamese-deeplabv3plus", "siamese-dpt"),
    *("siamese-light", "tood", "unet", "vlg", "yolox"),
)
DATA_NAMES = (
    *("acdc", "ade20k", "bccd", "cityscapes", "coco", "coco-full", "coco-seg", "demo"),
    *("dsb2018", "foggy", "levir", "voc", "voc12"),
)


@pytest.mark.parametrize("name", NAMES)
def test_model_and_hooks_are_built(name):
    config = load_config(name)
    with DefaultScope.overwrite_default_scope(config.default_scope), on_meta():
        model = MODELS.build(config.model)
    assert isinstance(model, TeacherStudent)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        for hook in config.custom_hooks:
            built = HOOKS.build(hook)
            assert isinstance(built, StepHook)
            model.attach(built)
        for hook in config.default_hooks.values():
            HOOKS.build(hook)


@pytest.mark.parametrize(
    "name",
    [
        "deeplabv3plus_lite0_dsb2018",
        "faster-rcnn_lite0_bccd",
        "mask-rcnn_lite0_dsb2018",
        "retinanet_lite0_bccd",
    ],
)
def test_a_protocol_from_imagenet_weights_has_a_head_that_fits(name):
    """And a backbone whose statistics stay, with a lower learning rate."""
    config = load_config(f"label_efficiency/{name}.py")
    network = config.model.get("detector") or config.model.segmentor
    assert network.backbone.pop("init_cfg").checkpoint == "package://efficientnet-lite0"
    with DefaultScope.overwrite_default_scope(config.default_scope):
        student = MODELS.build(config.model).train().student
    norms = [m for m in student.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and not any(norm.training for norm in norms)
    rates = config.optim_wrapper.paramwise_cfg.custom_keys
    assert rates.backbone.lr_mult == (0.3 if "deeplab" in name else 0.1)
    assert config.optim_wrapper.type == "OptimWrapper"
    levels = student.extract_feat(torch.zeros(1, 3, 64, 64))
    heads = ("decode_head", "rpn_head", "bbox_head")
    head = next(getattr(student, own) for own in heads if hasattr(student, own))
    assert head(levels)[0] is not None


@pytest.mark.parametrize("name", NAMES)
def test_the_doctor_finds_nothing_wrong_with_the_list_of_hooks(name):
    findings = Findings()
    check_settings(load_config(name), [], findings)
    assert [f for f in findings.found if f.where == "custom_hooks"] == []


@pytest.mark.parametrize("name", FILES)
def test_first_line_says_what_it_is(name):
    assert FILES[name].startswith("# ")


def test_no_two_configs_share_three_quarters_of_their_lines():
    """What several configs say stands once: in a base, or in the part of their method."""
    lines = {
        name: Counter(line.strip() for line in FILES[name].splitlines() if line.strip())
        for name in COMPOSED
        if FILES[name].count("\n") >= 15
    }
    alike = [
        (one, other)
        for one, other in combinations(lines, 2)
        if (lines[one] & lines[other]).total() * 4
        >= 3 * min(lines[one].total(), lines[other].total())
    ]
    assert alike == []


def test_a_part_belongs_to_a_config():
    parts = {CONFIGS / name for name in FILES if Path(name).name.startswith("_")}
    assert parts == {
        (CONFIGS / name).parent.joinpath(base).resolve()
        for name, text in FILES.items()
        for base in re.findall(r"'([\w./-]+/_[\w-]+\.py)'", text)
    }


def test_the_comparison_of_the_quickstart_is_not_tilted():
    for task in ("detection", "segmentation"):
        semi = load_config(f"quickstart/{task}_semi.py")
        base = load_config(f"quickstart/{task}_baseline.py")
        key = "detector" if task == "detection" else "segmentor"
        assert semi.model[key] == base.model[key]
        for part in ("optim_wrapper", "param_scheduler", "train_cfg", "val_dataloader"):
            assert semi[part] == base[part], part
        ours, theirs = semi.train_dataloader, base.train_dataloader
        assert ours.dataset.datasets[0] == theirs.dataset.datasets[0]  # labels, pictures, views
        assert ours.sampler.batch[0] == theirs.sampler.batch[0] == theirs.batch_size
        assert semi.custom_hooks[0] == base.custom_hooks[0]  # the same average of the weights


def test_rail_weighs_its_parts_as_published():
    """Cross entropy + Dice + 0.5 and 0.05 times the disagreement; `sup_weight` multiplies all."""
    config = load_config("rail/unet_acdc.py")
    model, hook = config.model, config.custom_hooks[1]
    factor = model.get("sup_weight", 1.0)
    assert (factor * hook.region, factor * hook.error) == (0.5, 0.05)
    for network in (model.segmentor, *model.auxiliary.values()):
        terms = network.decode_head.loss_decode
        assert [factor * term.get("loss_weight", 1.0) for term in terms] == [1.0, 1.0]


@pytest.mark.parametrize("method", ["external_labels", "shrinkmatch"])
def test_a_second_projection_learns_as_fast_as_the_decode_head(method):
    keys = load_config(f"{method}/deeplabv3plus_r101_voc12.py").optim_wrapper.paramwise_cfg
    assert keys.custom_keys.auxiliary == keys.custom_keys.head == dict(lr_mult=10.0)


@pytest.mark.parametrize("old", NEW_NAMES)
def test_a_former_name_stands_for_a_config_that_exists(old):
    assert (CONFIGS / NEW_NAMES[old]).is_file() and not (CONFIGS / old).exists()
    with pytest.warns(FutureWarning, match=re.escape(f"{old!r} has a new name: {NEW_NAMES[old]};")):
        assert find_config(old).samefile(CONFIGS / NEW_NAMES[old])


@pytest.mark.parametrize("place", ["", "ssdet::", f"{CONFIGS}/"])
def test_a_former_name_loads_and_warns(place):
    for old in ("second_source/deeplabv3plus_demo.py", "soft_teacher/faster_rcnn_demo.py"):
        with pytest.warns(FutureWarning, match=NEW_NAMES[old]):
            found = load_config(place + old)
        assert found.to_dict() == load_config(NEW_NAMES[old]).to_dict()


def test_a_former_name_loads_as_a_base_and_warns(tmp_path):
    old = "soft_teacher/faster_rcnn_demo.py"
    for number, base in enumerate((f"ssdet::{old}", f"{CONFIGS}/{old}")):
        mine = tmp_path / f"mine{number}.py"
        mine.write_text(f"_base_ = {base!r}\nbatch = (1, 1)\n")
        with pytest.warns(FutureWarning, match=NEW_NAMES[old]):
            assert load_config(str(mine)).custom_hooks[0].type == "TeacherEMAHook"


def test_a_former_name_works_with_the_tools(tmp_path):
    door = [sys.executable, str(ROOT / "tools" / "train.py")]
    command = [*door, "soft_teacher/faster_rcnn_demo.py", "--auto-scale-lr"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert "soft_teacher/faster-rcnn_demo.py" in found.stderr
    assert "auto_scale_lr" in found.stderr  # the config was read: it has no such setting


@pytest.mark.parametrize("old", WRITTEN_BY_INIT)
def test_a_config_that_init_writes_now_is_refused_with_the_command(old, tmp_path):
    base, method = WRITTEN_BY_INIT[old]
    assert base in BASES and method in ("auto", *METHODS)
    mine = tmp_path / "mine.py"
    mine.write_text(f"_base_ = 'ssdet::{old}'\n")
    for name in (old, str(mine)):
        with pytest.raises(UsageError, match=f"ssdet init {base} --method {method} --labeled"):
            load_config(name)


def test_a_file_of_the_users_own_is_not_renamed(tmp_path):
    path = tmp_path / "soft_teacher" / "faster_rcnn_demo.py"
    path.parent.mkdir()
    path.write_text("seed = 3\n")
    assert find_config(str(path)) == path
    path.unlink()
    with pytest.raises(UsageError, match="no such file"):
        find_config(str(path))


@pytest.mark.parametrize("name", [n for n in COMPOSED if n in NAMES and "quickstart" not in n])
def test_a_name_says_model_and_data_in_the_words_of_mmdetection(name):
    model, *rest = Path(name).stem.split("_")
    assert model in MODEL_NAMES
    assert any(word in DATA_NAMES for word in rest)


@pytest.mark.parametrize("page", sorted(CONFIGS.rglob("README.md")), ids=lambda p: p.parent.name)
def test_files_that_a_page_names_exist(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#:]+)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"`([\w./-]+\.py)`", text):
        shipped = any(f"/{file}".endswith(f"/{name}") for file in FILES)
        assert shipped or (page.parent / name).exists() or (ROOT / name).exists(), name


def test_the_config_that_the_page_shows_is_the_shipped_one():
    (shown,) = re.findall(r"```python\n(.*?)```", (CONFIGS / "README.md").read_text(), flags=re.S)
    assert shown == FILES["soft_teacher/faster-rcnn_r50_voc.py"]
