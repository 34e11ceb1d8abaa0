"""Label a folder of images with a checkpoint.

The labels are written in shards, OUT.shards/, and merged at the end. The same command again goes on
where it stopped. Under torchrun each process takes its part of the shards.
"""

from __future__ import annotations

import argparse
from pathlib import Path

FORMATS = ("coco", "coco-results", "voc", "yolo", "cvat", "labelstudio", "labelme", "masks")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet label`."""
    parser.add_argument(
        "checkpoint", help="a run folder, a checkpoint, or a folder of `ssdet export`"
    )
    parser.add_argument("images", help="a folder, a glob pattern, a .txt list, or a COCO .json")
    parser.add_argument("--out", type=Path, required=True, help="the file or folder to write")
    parser.add_argument(
        "--format", choices=FORMATS, default="coco", help="what to write (default: %(default)s)"
    )
    parser.add_argument(
        "--model", choices=("teacher", "student"), default="teacher",
        help="which model labels (default: %(default)s); no effect on a plain model",
    )  # fmt: skip
    parser.add_argument("--config", help="of the checkpoint (default: config.py of its run folder)")
    parser.add_argument(
        "--threshold", nargs="+", metavar="T",
        help="lowest score that is kept: 0.5, cat=0.6, a file of such lines or a JSON object, or "
        "'learned' by the hooks of the run (default: 0.3 for boxes, 0 for pixels)",
    )  # fmt: skip
    parser.add_argument(
        "--tta", nargs="*", metavar="VIEW",
        help="fuse the predictions of more views: hflip, vflip, sizes such as 1.25 (alone: hflip)",
    )  # fmt: skip
    parser.add_argument("--root", metavar="DIR", help="folder that the names in a list start from")
    parser.add_argument(
        "--batch-size", type=int, default=8, help="images in a pass (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, help="threads that decode (default: one for a core)")
    parser.add_argument("--device", help="such as cpu or cuda:1 (default: a GPU, if there is one)")
    parser.add_argument("--shards", type=Path, metavar="DIR", help="default: OUT.shards")
    parser.add_argument("--shard-size", type=int, help="images of a shard (default: up to 1000)")
    parser.add_argument("--no-merge", action="store_true", help="write the shards, and not OUT")
    parser.add_argument(
        "--max-errors", type=float, default=0.01,
        help="share of images that may be unreadable, ten in any case (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--image-url", default="", metavar="URL",
        help="Label Studio: start of the addresses of the images (default: its local files)",
    )  # fmt: skip
    parser.add_argument(
        "--engine", choices=("here", "ray"), default="here",
        help="ray: actors of a Ray cluster, or of this machine (extra 'ray'; default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--actors", type=int, default=2, help="of Ray, side by side (default: %(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="begin anew, and overwrite OUT")


def run(args: argparse.Namespace) -> int:
    """Label, and say what was written."""
    from ..labeling.label import label

    tta = ["hflip"] if args.tta == [] else args.tta or []
    found = label(
        args.checkpoint, args.images, args.out, format=args.format, config=args.config,
        model=args.model, threshold=args.threshold, tta=tta, root=args.root,
        batch_size=args.batch_size, workers=args.workers, device=args.device, shards=args.shards,
        shard_size=args.shard_size, merge=not args.no_merge, max_errors=args.max_errors,
        image_url=args.image_url, engine=args.engine, actors=args.actors, force=args.force,
    )  # fmt: skip
    print(found)
    return 0
