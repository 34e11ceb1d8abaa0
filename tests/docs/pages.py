"""The pages of the documentation, taken apart: prose, code blocks, tables, links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
)


def read(page):
    """The text of a page, by its place in the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text, language):
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


def links(text):
    """Places and anchors that a page points to, web addresses left out."""
    found = re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text)
    return [(path, anchor) for path, anchor in found if "://" not in path]


def tables(text):
    """The rows of the tables, as lists of cells, without headings and rulers."""
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        for row in table.splitlines()[2:]:
            yield [cell.strip() for cell in row.strip().strip("|").split("|")]


def sentences(text):
    """What is read as a sentence: no code, tables, headings or pictures; links as their words."""
    text = re.sub(r"^```.*?^```", "\n\n", text, flags=re.M | re.S)
    text = re.sub(r"^(\||#|!\[).*", "\n", text, flags=re.M)
    text = re.sub(r"^\s*([*-]|\d+\.)\s", "\n\n", text, flags=re.M)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "code", text)
    for paragraph in re.split(r"\n\s*\n", text):
        yield from re.split(r"(?<=[.!?:;])\s+", " ".join(paragraph.split()))
