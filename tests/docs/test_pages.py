"""What a page tells its reader to open, type or import is there; and it can be read."""

import argparse
import importlib
import re
import shlex

import pytest
import yaml

from ssdet.cli import COMMANDS

from .pages import PAGES, ROOT, blocks, links, read, sentences, tables

FOR = {"FORMAT": "coco"}  # what stands for a choice of the reader
WRITTEN = [page for page in PAGES if page != "docs/methods.md"]  # that one is made from a table


@pytest.mark.parametrize("page", WRITTEN)
def test_sentences_are_short(page):
    long = [one for one in sentences(read(page)) if len(one.split()) >= 30]
    assert not long, long


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    folder = (ROOT / page).parent
    for path, anchor in links(read(page)):
        target = (folder / path).resolve() if path else ROOT / page
        assert target.exists(), path
        if anchor and target.suffix == ".md":
            titles = re.findall(r"^#+ (.*)", target.read_text(encoding="utf-8"), flags=re.M)
            assert anchor in [slug(title) for title in titles], anchor


def slug(title):
    """The anchor of a heading, the same on the web page of a repository and in the site."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def commands(page):
    """Every `ssdet ...` line, without what stands for the reader's choice."""
    lines = "".join(blocks(read(page), "bash")).replace("\\\n", " ").splitlines()
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] == ["ssdet"] and not any(word.startswith("[") for word in words):
            yield words[1:]


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_understood(page):
    for name, *arguments in commands(page):
        module = importlib.import_module(f"ssdet.cli.{COMMANDS[name][0]}")
        parser = argparse.ArgumentParser(name)
        module.add_arguments(parser)
        try:
            parser.parse_args([FOR.get(word, word) for word in arguments])
        except SystemExit as done:  # `--list` and its like answer at once
            assert not done.code, arguments


def test_most_pages_by_task_show_a_command():
    assert {page for page in PAGES if any(commands(page))} >= {
        "README.md", "docs/tasks/boxes.md", "docs/tasks/masks.md", "docs/tasks/cluster.md",
        "docs/tasks/other-labels.md", "docs/own-data.md",
    }  # fmt: skip


def test_a_decision_names_at_most_one_number():
    for row in tables(read("docs/choosing.md")):
        text = re.sub(r"\]\([^)]*\)|`[^`]*`", "", " ".join(row))
        gains = re.findall(r"[+-]\d+(?:\.\d+)?|\b\d+(?:\.\d+)? %", text)
        assert len(gains) <= 1, row


def test_the_readme_is_one_screen():
    assert len(read("README.md").splitlines()) <= 60


def test_the_file_for_skypilot_is_yaml_and_its_command_is_understood():
    (text,) = blocks(read("docs/tasks/cluster.md"), "yaml")
    task = yaml.safe_load(text)
    assert {"name", "resources", "num_nodes", "file_mounts", "setup", "run"} <= task.keys()
    (folder,) = task["file_mounts"]
    command = task["run"].replace("\\\n", " ").splitlines()[-1]
    launcher, _, arguments = command.partition(" -m ssdet.cli ")
    assert launcher.startswith("torchrun ") and "$SKYPILOT_NODE_RANK" in launcher
    name, *options = arguments.split()
    parser = argparse.ArgumentParser()
    importlib.import_module(f"ssdet.cli.{name}").add_arguments(parser)
    args = parser.parse_args(options)
    assert args.work_dir.startswith(f"{folder}/") and args.resume == "auto"
    assert f"{args.work_dir}/.lock" in task["run"]
