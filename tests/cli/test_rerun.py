"""`ssdet rerun RUN`: the same training from what its folder recorded, compared at the end."""

import json
import shutil
from pathlib import Path

import pytest

from ssdet.cli import main
from ssdet.engine.data_files import DataFiles
from tests.engine.test_doors import CONFIGS

SHORT = [
    "--cfg-options", "train_cfg.max_iters=2", "train_cfg.val_interval=2", "model.burn_in=0",
    "train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerun") / "first"
    command = ["train", str(CONFIGS / "segmentation.py"), "--work-dir", str(folder)]
    assert main([*command, "--seed", "7", *SHORT]) == 0
    return folder


@pytest.fixture
def copied(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "my run"))


def changed(folder, **values):
    file = folder / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def numbers(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    clock = ("time", "data_time")
    return [{k: v for k, v in x.items() if not k.endswith(clock) and k != "memory"} for x in lines]


def test_the_same_numbers_come_out(copied, tmp_path, capsys):
    changed(copied, versions={"torch": "1.0"})
    assert main(["rerun", str(copied / "run.json")]) == 0
    told = capsys.readouterr().out
    again = tmp_path / "my run-again"
    assert f"ssdet train '{copied}/config.py' --work-dir '{again}' --seed 7" in told
    assert "note: torch is " in told and "and was 1.0: numbers may differ" in told
    assert told.splitlines()[-1].startswith("the same: all ")
    assert numbers(again) == numbers(copied) and numbers(again)[-1]["mode"] == "val"
    assert main(["rerun", str(copied)]) == 2
    assert "my run-again is there already; name another" in capsys.readouterr().err


@pytest.mark.parametrize("given", [".", "run.json", "plots/.."])
def test_a_run_is_found_from_within_its_folder(copied, tmp_path, monkeypatch, capsys, given):
    """Its name is not in what was typed; its neighbor is there already, to keep this short."""
    (tmp_path / "my run-again").mkdir()
    (copied / "plots").mkdir(exist_ok=True)
    monkeypatch.chdir(copied)
    assert main(["rerun", given]) == 2
    assert "my run-again is there already" in capsys.readouterr().err


def test_a_run_of_several_processes_is_compared_too(copied, tmp_path, monkeypatch, capsys):
    """The processes train; this one waits for them, and compares."""
    asked = []

    def trained(given):
        asked.append(given.training_script_args)
        shutil.copytree(copied, tmp_path / "my run-again")

    changed(copied, world_size=2)
    monkeypatch.setattr("torch.distributed.run.run", trained)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_SIGNALS_TO_HANDLE"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    assert main(["rerun", str(copied)]) == 0
    assert asked[0][0] == "train" and asked[0][-4:-2] == ["--gpus", "2"]
    assert capsys.readouterr().out.count("the same: all ") == 1


def test_other_numbers_are_named(copied, tmp_path, capsys):
    changed(copied, seed=8)
    assert main(["rerun", str(copied), "--work-dir", str(tmp_path / "new")]) == 0
    told = capsys.readouterr().out
    assert "numbers of the validations differ, such as " in told and " at 2: " in told
    assert f"both on one page: ssdet report '{copied}' {tmp_path / 'new'}" in told


def test_data_that_changed_is_refused(copied, tmp_path, capsys):
    image = tmp_path / "1.jpg"
    image.write_text("a")
    files = DataFiles(copied)
    files.update([str(image)])
    files.save(copied)
    image.write_text("bc")
    assert main(["rerun", str(copied)]) == 65
    told = capsys.readouterr().err
    assert f"1 data files are not those of the run (it was started in {Path.cwd()}):" in told
    assert f"{image}: has 2 bytes instead of 1" in told and "ssdet train '" in told


def test_what_cannot_be_repeated_is_refused(copied, capsys):
    config = copied / "config.py"
    config.write_text(f"{config.read_text()}\nresume = True\n")
    assert main(["rerun", str(copied)]) == 2
    assert "went on from a checkpoint of its own choice" in capsys.readouterr().err
    (copied / "run.json").write_text("{}")
    assert main(["rerun", str(copied)]) == 2
    assert "no config.py, or no run.json with a seed" in capsys.readouterr().err
