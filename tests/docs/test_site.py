"""What tools/docs_site.py adds: every public hook, links that work, lists that show."""

import importlib.util

import pytest

from ssdet import renamed
from ssdet.registry import HOOKS

from .pages import ROOT

spec = importlib.util.spec_from_file_location("docs_site", ROOT / "tools" / "docs_site.py")
docs_site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(docs_site)


def test_every_hook_has_a_place_in_the_api():
    pages = "\n".join(docs_site.api_pages().values()) + "\n"
    ours = {k for k, v in HOOKS.module_dict.items() if v.__module__.startswith("ssdet.")}
    ours -= set(renamed.CLASSES)
    assert len(ours) > 40
    for name in ours:
        assert f".{name}\n" in pages, name


def test_every_page_of_the_api_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    for place in docs_site.api_pages():
        assert place in navigation


@pytest.mark.parametrize(
    "path, place, link, expected",
    [
        ("docs/choosing.md", "choosing.md", "../configs/bcp", "configs/bcp.md"),
        (
            "docs/notes/a.md",
            "notes/a.md",
            "../../CONTRIBUTING.md#style",
            "../contributing.md#style",
        ),
        (
            "configs/rail/README.md",
            "configs/rail.md",
            "../../docs/benchmarks.md",
            "../benchmarks.md",
        ),
        ("configs/rail/README.md", "configs/rail.md", "../hssda", "hssda.md"),
        ("configs/rail/README.md", "configs/rail.md", "../none", "../none"),
        ("CONTRIBUTING.md", "contributing.md", "docs/weights.md", "weights.md"),
        ("docs/ops.md", "ops.md", "https://example.com", "https://example.com"),
    ],
)
def test_links_are_those_of_the_site(path, place, link, expected):
    assert docs_site.site_links(f"[a]({link})", path, place) == f"[a]({expected})"


def test_lists_and_tables_stand_apart_and_code_stays():
    text = "Words:\n* one\n* two\n```\na\n| b\n```\n| x |\n|---|\nmore\n- three\n"
    expected = "Words:\n\n* one\n* two\n```\na\n| b\n```\n\n| x |\n|---|\nmore\n\n- three\n"
    assert docs_site.apart(text) == expected
