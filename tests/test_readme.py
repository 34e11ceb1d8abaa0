"""The README's list of hooks is that of a config (commands: docs/test_pages.py)."""

import ast
from pathlib import Path

from .docs.pages import blocks, read

ROOT = Path(__file__).parents[1]


def test_the_mixed_list_of_the_readme_is_the_shipped_one():
    def hooks(code):
        return ast.dump(ast.parse(code[code.index("custom_hooks") :]))

    (shown,) = blocks(read("README.md"), "python")
    assert hooks(shown) == hooks((ROOT / "configs/mixed/faster-rcnn_demo.py").read_text())
