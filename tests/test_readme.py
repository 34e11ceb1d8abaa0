"""What the README tells a stranger to type is true."""

import re
from pathlib import Path

import torch

from ssdet.cli import main
from ssdet.registry import HOOKS

from .helpers import build_pair, losses, multi_branch, total

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_the_hook_of_the_readme_trains(tmp_path):
    code = next(block for block in blocks("python") if "register_module" in block)
    assert len(code.strip().splitlines()) <= 15
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    hook = HOOKS.build(dict(type="MinSizeHook", pixels=1000))
    model = build_pair()
    model.attach(hook)
    found = losses(model, multi_branch())
    assert found["pseudo/kept"] == 0 and found["pseudo/dropped_small"] > 0
    assert torch.isfinite(total(found))


def test_files_that_the_readme_names_exist():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_commands_of_the_readme_are_known(capsys):
    commands = set(
        re.findall(r"^ *(?:\.venv/bin/)?ssdet (\w+)", "\n".join(blocks("bash")), flags=re.M)
    )
    assert commands
    for command in commands:
        try:
            main([command, "--help"])
        except SystemExit as stop:
            assert not stop.code
    capsys.readouterr()
