"""`ssdet export`: either network of a checkpoint as a plain model, which answers as it did."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine.registry import MODELS, DefaultScope
from mmseg.apis import inference_model, init_model
from PIL import Image
from safetensors.torch import load_file

from ssdet.cli import main
from ssdet.engine import export as export_module
from ssdet.engine.checkpoint_file import write_checkpoint
from ssdet.engine.config_text import code_in
from ssdet.engine.configs import load_config

from ..families.segmentors import small_config

CONFIGS = {
    "detector": "mean_teacher/gfl_demo.py",
    "segmentor": "fixmatch_seg/deeplabv3plus_demo.py",
    "of ours": "consistent_teacher/retinanet_demo.py",
}


@pytest.fixture
def run_folder(tmp_path):
    """The folder of a run with a checkpoint of two different networks, and the pair."""

    def make(kind):
        config = load_config(CONFIGS[kind])
        with DefaultScope.overwrite_default_scope(config.default_scope):
            pair = MODELS.build(config.model).eval()
        with torch.no_grad():
            for parameter in pair.teacher.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        classes = tuple("abc")
        checkpoint = dict(
            state_dict=pair.state_dict(), meta=dict(iter=1, dataset_meta=dict(classes=classes))
        )
        write_checkpoint(checkpoint, tmp_path / "run" / "checkpoints" / "iter_1.pth")
        config.dump(tmp_path / "run" / "config.py")
        return tmp_path / "run", pair

    return make


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8))
    return path


def export(run, *options):
    return main(
        ["export", str(run / "checkpoints" / "iter_1.pth"), "--out", str(run / "out"), *options]
    )


def pasted(text, folder):
    """What is printed is typed into a fresh interpreter, as a person would; what that prints."""
    lines = [line for line in text.splitlines() if not line.startswith(str(folder))]
    code = "\n".join([*lines[1:], f"print({SHOWN})"])
    command = [sys.executable, "-W", "ignore", "-i", "-q"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, cwd=folder)
    errors = [line for line in done.stderr.splitlines() if "Error" in line or "Traceback" in line]
    assert not errors, done.stderr
    return done.stdout.splitlines()[-1]


SHOWN = "model.dataset_meta['classes'], type(result).__name__"


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        ("detector", "pth"),
        ("segmentor", "safetensors"),
        ("of ours", "pth"),
        pytest.param("detector", "safetensors", marks=pytest.mark.long),
        pytest.param("segmentor", "pth", marks=pytest.mark.long),
        pytest.param("of ours", "safetensors", marks=pytest.mark.long),
    ],
)
def test_the_printed_lines_work_where_they_are_pasted(kind, weights, run_folder, image, capsys):
    run, _ = run_folder(kind)
    assert export(run, "--format", weights) == 0
    Image.open(image).convert("RGB").save(image.parent / "image.jpg")
    sample = "SegDataSample" if kind == "segmentor" else "DetDataSample"
    told = pasted(capsys.readouterr().out, image.parent)
    assert told.replace("[", "(").replace("]", ")") == f"('a', 'b', 'c') {sample}"


def test_a_run_is_exported_and_both_formats_hold_the_same(run_folder):
    run, pair = run_folder("segmentor")
    out = str(run / "out")
    assert main(["export", str(run), "--format", "safetensors", "--out", out]) == 0
    found = load_file(run / "out" / "model.safetensors")
    expected = pair.teacher.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)
    assert not (run / "out" / "model.pth").exists()


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_a_detector_answers_as_it_did(role, run_folder, image, capsys):
    run, pair = run_folder("detector")
    assert export(run, "--model", role) == 0
    assert "needs no ssdet" in capsys.readouterr().out
    assert "ssdet" not in (run / "out" / "config.py").read_text()
    files = [str(run / "out" / name) for name in ("config.py", "model.pth")]
    model = init_detector(*files, palette="random", device="cpu")
    assert model.dataset_meta["classes"] == ("a", "b", "c")
    ours = inference_detector(model, str(image)).pred_instances
    model.load_state_dict(getattr(pair, role).state_dict())
    theirs = inference_detector(model, str(image)).pred_instances
    assert len(ours) > 0
    torch.testing.assert_close(ours.bboxes, theirs.bboxes, rtol=0, atol=0)
    torch.testing.assert_close(ours.scores, theirs.scores, rtol=0, atol=0)
    other = getattr(pair, "student" if role == "teacher" else "teacher")
    model.load_state_dict(other.state_dict())
    assert not torch.equal(ours.scores, inference_detector(model, str(image)).pred_instances.scores)


def test_a_segmentor_answers_as_it_did(run_folder, image):
    run, pair = run_folder("segmentor")
    assert export(run) == 0
    model = init_model(*(str(run / "out" / name) for name in ("config.py", "model.pth")), "cpu")
    logits = inference_model(model, str(image)).seg_logits.data
    model.load_state_dict(pair.teacher.state_dict())
    assert torch.equal(logits, inference_model(model, str(image)).seg_logits.data)


def test_a_model_with_a_part_of_ours_says_so(run_folder, capsys):
    run, _ = run_folder("of ours")
    assert export(run) == 0
    assert "needs ssdet" in capsys.readouterr().out
    assert load_config(str(run / "out" / "config.py")).custom_imports.imports == ["ssdet"]


def test_a_model_that_draws_numbers_says_so(monkeypatch):
    """SegNeXt's decoder: two predictions are equal after one seed, and not otherwise."""
    said = []
    monkeypatch.setattr(export_module, "print_log", lambda text, *_: said.append(text))
    plain, drawing = (
        MODELS.build(dict(small_config(name), _scope_="mmseg")) for name in ("fcn", "segnext")
    )
    export_module._warn_of_draws(plain)
    export_module._warn_of_draws(drawing.eval())
    (text,) = said
    assert "NMF2D of this EncoderDecoder draws random numbers for each prediction" in text
    image, found = torch.rand(1, 3, 64, 64), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        with torch.no_grad():
            found.append(drawing(image))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_what_is_there_is_not_overwritten(run_folder, capsys):
    run, _ = run_folder("segmentor")
    (run / "out").mkdir()
    (run / "out" / "config.py").write_text("mine")
    assert export(run) != 0
    assert "--force" in capsys.readouterr().err
    assert (run / "out" / "config.py").read_text() == "mine"
    assert not (run / "out" / "model.pth").exists()
    assert export(run, "--force") == 0


def test_refusals_name_what_is_wrong(run_folder, tmp_path, capsys):
    run, pair = run_folder("segmentor")
    assert export(run, "--config", "_base_/default_runtime.py") == 2
    assert "no teacher-student model" in capsys.readouterr().err
    assert export(run, "--config", CONFIGS["detector"]) != 0
    assert "its teacher does not fit the model of the config" in capsys.readouterr().err
    lone = tmp_path / "alone" / "x" / "plain.pth"
    write_checkpoint(dict(state_dict=pair.teacher.state_dict(), meta={}), lone)
    assert main(["export", str(lone), "--out", str(tmp_path / "out")]) == 2
    assert "no config.py in its run folder" in capsys.readouterr().err
    assert main(["export", str(lone), "--config", str(run / "config.py"),
                 "--out", str(tmp_path / "out")]) != 0  # fmt: skip
    assert "it has no teacher" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["export", "test"])
def test_a_damaged_checkpoint_is_refused(command, run_folder, capsys):
    run, _ = run_folder("segmentor")
    path = run / "checkpoints" / "iter_1.pth"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if command == "export":
        assert export(run) == 74
    else:
        config = CONFIGS["segmentor"]
        assert main(["test", config, str(path), "--work-dir", str(run / "test")]) == 74
    error = capsys.readouterr().err
    assert f"{path} ({len(data)} bytes) is damaged: the checksum" in error
    assert "Traceback" not in error and not (run / "out" / "model.pth").exists()


@pytest.mark.parametrize(
    "line",
    [
        "import os", "x = __import__('os').system('true')", "x = [os for os in ()]",
        "model = dict(type=open('a').read())", "x = dict.fromkeys('a')", "x = f'{1}'", "del model",
        "x = (lambda: 1)()", "x = float(open('a'))", "x = 1; import os", "x[0] = 1", "x = '",
    ],
)  # fmt: skip
def test_a_config_that_nobody_named_is_not_run(run_folder, tmp_path, capsys, line):
    """The run folder may come from elsewhere, and `config.py` in it with it."""
    run, marker = tmp_path / "run", tmp_path / "boom"
    write_checkpoint({"state_dict": {}, "meta": {}}, run / "checkpoints" / "iter_1.pth")
    attack = f"open({str(marker)!r}, 'w')"
    (run / "config.py").write_text(f"a = 1\n{line}\nb = {attack}\n")
    assert export(run) == 2
    told = capsys.readouterr().err
    assert "config.py" in told and "If you trust it, name it: --config" in told
    assert not marker.exists()
    assert code_in(f"a = dict(b=[1, -2.5, None], c=float('inf'))\n{line}\n")


@pytest.mark.parametrize("name", sorted(CONFIGS.values()))
def test_configs_of_run_folders_are_data(tmp_path, name):
    config = load_config(name)
    config.dump(tmp_path / "config.py")
    assert code_in((tmp_path / "config.py").read_text()) is None
