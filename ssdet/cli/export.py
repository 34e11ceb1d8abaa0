"""Export the teacher or the student of a checkpoint as a plain MMDetection or MMSegmentation model.

Writes OUT/model.pth and OUT/config.py, for `init_detector` or `init_model`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .train import check_file

_USE = {
    "detector": (
        "from mmdet.apis import inference_detector, init_detector\n"
        '  model = init_detector("{config}", "{model}", palette="random", device="cpu")\n'
        '  result = inference_detector(model, "image.jpg")'
    ),
    "segmentor": (
        "from mmseg.apis import inference_model, init_model\n"
        '  model = init_model("{config}", "{model}", device="cpu")\n'
        '  result = inference_model(model, "image.jpg")'
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet export`."""
    parser.add_argument("checkpoint", type=Path, help="a checkpoint of a run")
    parser.add_argument(
        "--model", choices=("teacher", "student"), default="teacher",
        help="which model to export (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--config", help="the run's config (default: config.py of its run folder)")
    parser.add_argument(
        "--out", type=Path, default=Path("exported"), help="output folder (default: exported/)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def run(args: argparse.Namespace) -> int:
    """Write the two files and say how they are used."""
    from ..engine.checkpoint_file import read_checkpoint, write_checkpoint, write_text
    from ..engine.configs import load_config
    from ..engine.export import plain_checkpoint, plain_config
    from ..exits import RunError, UsageError
    from ..formats.write import may_write

    check_file("checkpoint", str(args.checkpoint))
    path = args.config or _config_of(args.checkpoint)
    files = {"config": args.out / "config.py", "model": args.out / "model.pth"}
    for file in files.values():
        may_write(file, force=args.force)
    whole = load_config(str(path))
    try:
        config = plain_config(whole)
    except RunError as error:
        raise UsageError(f"config {path}: {error}") from None
    saved = read_checkpoint(args.checkpoint)
    try:
        checkpoint = plain_checkpoint(saved, config, args.model)
    except RunError as error:
        raise type(error)(f"checkpoint {args.checkpoint}: {error}") from None
    write_checkpoint(checkpoint, files["model"])
    write_text(config.pretty_text, files["config"])
    kind = "detector" if "detector" in whole.model else "segmentor"
    ours = "custom_imports" in config
    needs = (
        "ssdet, since a part of the model is ssdet's" if ours else "no ssdet where mmcv is compiled"
    )
    print(f"{args.out}: the {args.model} of {args.checkpoint}; needs {needs}")
    print(f"  {_USE[kind].format(**files)}")
    return 0


def _config_of(checkpoint: Path) -> Path:
    """The config in the run folder of a checkpoint."""
    from ..engine.config_text import code_in
    from ..exits import UsageError
    from ..formats.issues import short

    found = [folder / "config.py" for folder in checkpoint.resolve().parents[:2]]
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        raise UsageError(
            f"checkpoint {checkpoint}: no config.py in its run folder ({found[-1].parent}); name "
            "the config of the run with --config"
        )
    # Nobody named it: a folder from elsewhere must not run what it likes.
    code = code_in(path.read_text(encoding="utf-8", errors="replace"))
    if code is not None:
        raise UsageError(
            f"{path}: this config of a run folder holds more than values: {short(code)!r}. If you "
            f"trust it, name it: --config {path}"
        )
    return path
