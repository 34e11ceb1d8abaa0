"""Pages that MkDocs adds to docs/: API pages, a page for each method, links that leave docs/.

Named in mkdocs.yml under `hooks`. The pages in docs/ are also read on the web page of the
repository, so their links are those of the repository; here they become links of the site.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# The packages whose public names have a page, and those of them that show every method.
PACKAGES = (
    "hooks", "hooks.thresholds", "hooks.boxes", "hooks.pixels", "hooks.mixing", "hooks.networks",
    "hooks.memory", "hooks.observe", "teacher_student", "thresholds", "mixing", "losses", "models",
    "datasets", "formats", "doctor", "labeling.label", "labeling.audit", "labeling.fuse",
    "labeling.discovery", "recipes",
    "evaluation", "engine", "report", "report.browse", "report.live", "notebook", "testing",
)  # fmt: skip
IN_FULL = ("StepHook", "ThresholdHook", "Step", "PixelLabels", "PseudoBoxes", "TeacherStudent")
TOP = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made."""
    from mkdocs.structure.files import File

    for place, text in {**api_pages(), **repository_pages()}.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Changes to a page on its way from the repository to the site."""
    if page.file.generated_by is None:
        markdown = site_links(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)
    return apart(markdown)


# ---------------------------------------------------------------------- API


def api_pages() -> dict[str, str]:
    """A page for each package (`testing` is a module), and one that lists them."""
    pages = {f"api/{package}.md": api_page(package) for package in PACKAGES}
    rows = [f"| [`ssdet.{p}`]({p}.md) | {_summary(p)} |" for p in PACKAGES]
    return {"api/index.md": "\n".join(["# API", "", "| package | |", "|---|---|", *rows]), **pages}


def api_page(package: str) -> str:
    """The docstring of a package, then its public names in the order of its exports."""
    parts = [f"# ssdet.{package}", ast.get_docstring(_parsed(package)) or ""]
    for name in public_names(package):
        if name.isupper():  # a constant has no docstring
            continue
        parts.append(f"::: ssdet.{package}.{name}")
        if package.startswith("hooks") and name not in IN_FULL:
            parts[-1] += "\n    options:\n      members: false"
    return "\n\n".join(parts)


def public_names(package: str) -> list[str]:
    """`__all__`, or what is imported as itself (`from .x import X as X`)."""
    exported: list[str] = []
    later = f"{package}.exports"  # of a package that imports its parts on first use
    is_later = (ROOT / f"ssdet/{later.replace('.', '/')}.py").is_file()
    for node in _parsed(later if is_later else package).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
        if isinstance(node, ast.ImportFrom):
            exported += [alias.name for alias in node.names if alias.asname == alias.name]
    return exported


def _parsed(package: str) -> ast.Module:
    path = f"ssdet/{package.replace('.', '/')}"
    return ast.parse(_text(f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"))


def _summary(package: str) -> str:
    return (ast.get_docstring(_parsed(package)) or "").splitlines()[0]


# ---------------------------------------------------------------------- pages outside of docs/


def repository_pages() -> dict[str, str]:
    """CONTRIBUTING, CHANGELOG, and each method's README with its configs."""
    pages = {place: site_links(_text(path), path, place) for path, place in TOP.items()}
    for folder in sorted(path.parent.name for path in ROOT.glob("configs/*/README.md")):
        path, place = f"configs/{folder}/README.md", f"configs/{folder}.md"
        pages[place] = site_links(_text(path), path, place) + _sources(ROOT / "configs" / folder)
    return pages


def _sources(folder: Path) -> str:
    parts = ["\n## The files"]
    for file in sorted(folder.glob("*.py")):
        parts.append(f"### {file.name} {{ #{file.stem} }}")
        parts.append(f"```python\n{file.read_text().strip()}\n```")
    return "\n\n".join(parts)


def site_links(text: str, path: str, place: str) -> str:
    """A text at `path` in the repository, with links as they are at `place` in the site."""

    def relative(match: re.Match[str]) -> str:
        target = os.path.normpath(Path(path).parent / match[1])
        found = site_place(target)
        if found is None or not (ROOT / target).exists():
            return match[0]
        return f"]({os.path.relpath(found, Path(place).parent)}{match[2] or ''})"

    return re.sub(r"\]\(([^)#:\s]+)(#[^)]*)?\)", relative, text)


def apart(text: str) -> str:
    """A blank line before lists and tables: Python-Markdown wants one, other readers do not."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    for number in range(0, len(parts), 2):  # what stands between the code blocks
        part = re.sub(r"^([^\s*|#-].*)\n(?=[*-] |\|)", r"\1\n\n", parts[number], flags=re.M)
        parts[number] = re.sub(r"\A\n(?=[*-] |\|)", "\n\n", part)
    return "".join(parts)


def site_place(path: str) -> str | None:
    """Where a file of the repository stands in the site."""
    if path in TOP:
        return TOP[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    match = re.fullmatch(r"configs/(\w+)(?:/README\.md)?(?:/(\S+)\.py)?", path)
    if match and (ROOT / "configs" / match[1] / "README.md").exists():
        return f"configs/{match[1]}.md" + (f"#{match[2]}" if match[2] else "")
    return None


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
