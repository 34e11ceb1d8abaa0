"""Export the teacher or the student of a checkpoint as a plain MMDetection or MMSegmentation model.

Writes OUT/config.py and OUT/model.pth (or model.safetensors), for `init_detector` or `init_model`,
and prints the lines that use them. With --onnx, OUT/model.onnx too, compared with PyTorch: all
boxes of a detector, with --nms also which of them are kept, or the logits of a segmentor.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .train import find_checkpoint

_APIS = {
    "detector": ("mmdet.apis", "init_detector", "inference_detector", ', palette="random"'),
    "segmentor": ("mmseg.apis", "init_model", "inference_model", ""),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet export`."""
    parser.add_argument(
        "checkpoint", type=Path,
        help="a checkpoint, or the folder of a run: its best checkpoint, else its newest",
    )  # fmt: skip
    parser.add_argument(
        "--model", choices=("teacher", "student"), default="teacher",
        help="which model to export (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--config", help="the run's config (default: config.py of its run folder)")
    parser.add_argument(
        "--out", type=Path, default=Path("exported"), help="output folder (default: exported/)"
    )
    parser.add_argument(
        "--format", choices=("pth", "safetensors", "transformers"), default="pth",
        help="file of the weights, or the folder of an HFDetector; all but pth need the extra 'hf' "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--onnx", action="store_true", help="an ONNX file, too (extra 'onnx')")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("H", "W"),
        help="size of the images of the ONNX file (default: what the test pipeline resizes to)",
    )  # fmt: skip
    parser.add_argument(
        "--nms", action="store_true", help="the ONNX file says, too, which boxes are kept"
    )
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def run(args: argparse.Namespace) -> int:
    """Write the files and say how they are used."""
    from ..engine.checkpoint_file import read_checkpoint, write_checkpoint, write_text
    from ..engine.checkpoint_place import config_of
    from ..engine.configs import load_config
    from ..engine.export import (
        plain_checkpoint,
        plain_config,
        write_safetensors,
        write_transformers,
    )
    from ..exits import RunError, UsageError
    from ..formats.write import may_write

    args.checkpoint = Path(find_checkpoint(str(args.checkpoint), args.model))
    if args.nms and not args.onnx:
        raise UsageError("--nms belongs to an ONNX file; add --onnx")
    path = args.config or config_of(args.checkpoint)
    folder = args.format == "transformers"
    names = {"model": f"model.{'safetensors' if folder else args.format}"}
    names["config"] = "config.json" if folder else "config.py"
    names |= {"onnx": "model.onnx"} if args.onnx else {}
    files = {key: args.out / name for key, name in names.items()}
    for file in files.values():
        may_write(file, force=args.force)
    whole = load_config(str(path))
    try:
        config = plain_config(whole, args.model)
    except RunError as error:
        raise UsageError(f"config {path}: {error}") from None
    saved = read_checkpoint(args.checkpoint)
    try:
        checkpoint = plain_checkpoint(saved, config, args.model, whole.model.get("teacher"))
    except RunError as error:
        raise type(error)(f"checkpoint {args.checkpoint}: {error}") from None
    if folder:
        write_transformers(checkpoint, config, args.out)
        print(f"{args.out}: the {args.model} of {args.checkpoint}. In Python:\n")
        print(f"from transformers import AutoModelForObjectDetection as Model\n"
              f"model = Model.from_pretrained({str(args.out.resolve())!r})")  # fmt: skip
        return 0
    about = _onnx(args, config, checkpoint, files["onnx"]) if args.onnx else ""
    write = write_checkpoint if args.format == "pth" else write_safetensors
    write(checkpoint, files["model"])
    write_text(config.pretty_text, files["config"])
    ours = "custom_imports" in config
    needs = (
        "ssdet, since a part of the model is ssdet's" if ours else "no ssdet where mmcv is compiled"
    )
    print(f"{args.out}: the {args.model} of {args.checkpoint}; needs {needs}. In Python:\n")
    kind = "detector" if "detector" in whole.model else "segmentor"
    print("\n".join(use(kind, files["config"], files["model"])))
    print(about, end="")
    return 0


def use(kind: str, config: Path, model: Path) -> list[str]:
    """The lines of Python that use what was written; they can be pasted anywhere."""
    module, init, inference, more = _APIS[kind]
    lines = [
        "import ssdet  # operators that mmcv may lack",
        f"from {module} import {inference}, {init}",
    ]
    weights = f", {str(model.resolve())!r}"
    if model.suffix == ".safetensors":
        lines += ["import json", "from safetensors import safe_open"]
        weights = ""
    lines.append(f'model = {init}({str(config.resolve())!r}{weights}{more}, device="cpu")')
    if model.suffix == ".safetensors":
        lines += [
            f'weights = safe_open({str(model.resolve())!r}, "pt")',
            "_ = model.load_state_dict({key: weights.get_tensor(key) for key in weights.keys()})",
            'model.dataset_meta = json.loads(weights.metadata()["dataset_meta"])',
        ]
    return [*lines, f'result = {inference}(model, "image.jpg")']


def _onnx(args: argparse.Namespace, config: Any, checkpoint: dict[str, Any], path: Path) -> str:
    from ..engine.onnx_export import export_onnx

    size = (args.size[0], args.size[1]) if args.size else None
    return f"\n{path}: {export_onnx(config, checkpoint, path, size, nms=args.nms)}\n"
