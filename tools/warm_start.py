"""Make weights that a training can start from out of unsupervised ones of Detectron2.

python tools/warm_start.py weights u2seg.pth --out clusters.pth
ssdet label clusters.pth LABELED_IMAGES --config CONFIG_OF_THE_CLUSTERS --out clusters.json
python tools/warm_start.py match clusters.json labeled.json --out classes.json
python tools/warm_start.py weights u2seg.pth --classes classes.json --out start.pth

The first and the last line rename the tensors of Faster, Mask and Cascade R-CNN, and say which have
no place. With --classes the clusters of the weights become the classes of a training; without, its
last layers start anew. Weights of MMDetection are taken under their own names.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SHOWN = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Rename weights, or match clusters with classes."""
    args = _arguments().parse_args(argv)
    import ssdet

    ssdet.register()
    (_weights if args.does == "weights" else _match)(args)
    return 0


def _weights(args: argparse.Namespace) -> None:
    from ssdet.engine.checkpoint_file import write_checkpoint
    from ssdet.engine.detectron2_weights import classes_of, read_weights, renamed, with_classes
    from ssdet.exits import UsageError
    from ssdet.formats.write import may_write

    may_write(args.out, force=args.force)
    given = read_weights(args.checkpoint)
    found, left = renamed(given)
    if not found:
        if not any(name.startswith(("backbone.", "neck.", "rpn_head.")) for name in given):
            raise UsageError(
                f"{args.checkpoint}: {len(given)} tensors, such as {next(iter(given))}, and none "
                "has a name that Detectron2 or MMDetection gives to a part of a R-CNN"
            )
        found, left = given, []
    meta: dict[str, Any] = {}
    if any(name.endswith("fc_cls.bias") for name in found):
        clusters = [str(number) for number in range(1, classes_of(found) + 1)]
        meta = {"dataset_meta": {"classes": clusters}}
    if args.classes:
        names = json.loads(args.classes.read_text(encoding="utf-8"))
        groups = [[int(cluster) - 1 for cluster in own] for own in names.values()]
        found = with_classes(found, groups)
        meta = {"dataset_meta": {"classes": list(names)}}
        empty = [name for name, own in names.items() if not own]
        print(f"{len(names)} classes; without a cluster: {', '.join(empty) or 'none'}")
    write_checkpoint({"state_dict": found, "meta": meta}, args.out)
    print(f"{args.out}: {len(found)} tensors")
    if left:
        shown = ", ".join(left[:SHOWN]) + (", ..." if len(left) > SHOWN else "")
        print(f"{len(left)} tensors have no place in MMDetection's model and were left: {shown}")


def _match(args: argparse.Namespace) -> None:
    from ssdet.formats.write import may_write, write_text
    from ssdet.labeling.cluster_classes import match_clusters

    may_write(args.out, force=args.force)
    found = match_clusters(args.predicted, args.labeled, overlap=args.overlap, least=args.least)
    write_text(args.out, json.dumps(found, indent=1) + "\n", force=args.force)
    for name, clusters in found.items():
        print(f"{name}: {', '.join(clusters[:SHOWN]) or 'no cluster'}")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parts = parser.add_subparsers(dest="does", required=True)
    weights = parts.add_parser("weights", help="rename the tensors of a file")
    weights.add_argument("checkpoint", type=Path, help="a .pth or .pkl of Detectron2")
    weights.add_argument("--classes", type=Path, help="what `match` wrote")
    match = parts.add_parser("match", help="which classes the clusters are")
    match.add_argument("predicted", type=Path, help="boxes of clusters in labeled images")
    match.add_argument("labeled", type=Path, help="the true boxes")
    match.add_argument("--overlap", type=float, default=0.5, help="least IoU")
    match.add_argument("--least", type=int, default=2, help="objects of a cluster")
    for part in (weights, match):
        part.add_argument("--out", type=Path, required=True)
        part.add_argument("--force", action="store_true", help="replace what is there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
