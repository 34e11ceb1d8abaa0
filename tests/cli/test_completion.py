"""Shells complete what argparse knows."""

import shutil
import subprocess

import pytest

from ssdet.cli import COMMANDS, main
from ssdet.cli.completion import commands, fish


def script(shell, capsys):
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["tr"], ["train"]),
        (["train", "--la"], ["--launcher"]),
        (["train", "--launcher", ""], ["none", "pytorch", "slurm"]),
        (["export", "run.pth", "--model", "s"], ["student"]),
        (["split", "coc"], ["coco"]),
        (["init", "retinanet-r10"], ["retinanet-r101"]),
        (["init", "base.py", "--method", "unimatch-"], ["unimatch-v2"]),
        (["train", "conf"], []),  # file names, which bash adds itself
        (["train", "--work-dir", "r"], []),
        (["completion", "f"], ["fish"]),
    ],
)
def test_bash_is_offered(line, offered, capsys, tmp_path):
    path = tmp_path / "ssdet.bash"
    path.write_text(script("bash", capsys))
    words = " ".join(f"'{word}'" for word in ["ssdet", *line])
    code = f"source {path}; COMP_WORDS=({words}); COMP_CWORD={len(line)}; _ssdet; "
    code += 'printf "%s\\n" "${COMPREPLY[@]}"; complete -p ssdet'
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    *found, registered = done.stdout.splitlines()
    assert [word for word in found if word] == offered
    assert registered == "complete -o bashdefault -o default -F _ssdet ssdet"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_theirs(shell, capsys, tmp_path):
    text = script(shell, capsys)
    for name in COMMANDS:
        assert name in text
    if shutil.which(shell):  # few machines have all of them
        path = tmp_path / "script"
        path.write_text(text)
        subprocess.run([shell, "-n", str(path)], check=True)


def test_fish_knows_options_with_their_help():
    lines = fish(commands()).splitlines()
    within = 'complete -c ssdet -n "__fish_seen_subcommand_from train"'
    assert f"{within} -l launcher -x -a 'none pytorch slurm' -d ''" in lines
    assert f"{within} -l amp -d 'mixed precision, where it is faster'" in lines
    assert any(line.startswith(f"{within} -l work-dir -r -d ") for line in lines)
    assert not any("local-rank" in line for line in lines)  # which only launchers use
