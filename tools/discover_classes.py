"""Find candidates for new classes in unlabeled images.

python tools/discover_classes.py work_dirs/RUN IMAGES --out candidates

Objects that a trained two-stage detector sees and does not name are grouped by their features;
groups are split and merged until neither makes them more likely. candidates.html shows examples of
each group, candidates.json holds their boxes in the form of COCO. Inspired by GPC (ICCV 2023).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Look, group, write."""
    args = _arguments().parse_args(argv)
    import ssdet

    ssdet.register()
    from ssdet.formats.write import may_write
    from ssdet.labeling.discovery import Asked, discover, write_discovery
    from ssdet.labeling.discovery.page import LABELS

    may_write(args.out / LABELS, force=args.force)
    names = ("objectness", "known", "per_image", "most", "start", "width", "device", "seed")
    asked = Asked(**{name: getattr(args, name) for name in names})
    result = discover(
        args.checkpoint, args.images, config=args.config, model=args.model, root=args.root,
        asked=asked, progress=_tell,
    )  # fmt: skip
    page = write_discovery(result, args.out, force=args.force)
    print(f"{result.grouped} of {result.seen} objects without a name, in {result.images} images")
    for step in result.steps:
        print(f"    {step}")
    for number, one in enumerate(result.candidates, 1):
        near = f"; nearest known class: {one.resembles}" if one.resembles else ""
        print(f"new {number}: {len(one.objects)} objects in {one.images} images{near}")
    print(f"The pictures are in {page.resolve()}")
    return 0


def _tell(done: int, count: int) -> None:
    if done % 100 == 0 or done == count:
        print(f"{done} of {count} images", file=sys.stderr)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("checkpoint", type=Path, help="a run folder or a checkpoint")
    parser.add_argument("images", help="a folder, a list or a COCO file")
    parser.add_argument("--config", help="default: config.py of the run")
    parser.add_argument("--root", help="folder that the names of a list are relative to")
    parser.add_argument("--out", type=Path, default=Path("candidates"), help="a folder")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--model", choices=("teacher", "student"), default="teacher")
    parser.add_argument(
        "--objectness", type=float, default=0.5, help="score from which a proposal is an object"
    )
    parser.add_argument(
        "--known", type=float, default=0.5, help="score from which a detection names its object"
    )
    parser.add_argument("--per-image", type=int, default=10, help="objects of an image at most")
    parser.add_argument("--most", type=int, default=10_000, help="objects in memory at most")
    parser.add_argument("--start", type=int, default=10, help="groups to start from")
    parser.add_argument("--width", type=int, default=16, help="components of the features")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
