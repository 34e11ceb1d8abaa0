"""Which families of models train, and what of the pseudo labels counts in their losses.

python tools/family_table.py --out docs/families.md
python tools/family_table.py solo 'seg ddrnet' --out docs/families.md    # the other rows stay

Each family is the published config with few channels and random weights. Teacher and student take
ten steps on random images, on one process and on two (gloo), and two steps in bfloat16; then the
losses are asked what weights and ignored regions do to them. The page is written from that.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing
from mmengine import MessageHub
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from torch.nn.parallel import DistributedDataParallel

from ssdet.engine.amp import CpuAmpOptimWrapper
from ssdet.exits import replacing
from ssdet.hooks import StepHook, TeacherEMAHook
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels, Views

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.families import detectors, hugging_face, segmentors
from tests.helpers import total
from tests.seg_helpers import seg_batch, seg_sample

STEPS = 10
LIMIT = 300  # seconds that two processes have for a family
SIZE = (64, 64)
LARGE = (128, 128)  # of one image alone, whose coarsest map needs more than one place
BOXES = [(4, 4, 36, 36), (30, 28, 62, 60)]
COLUMNS = ("steps", "weights", "ignore", "AMP", "two processes", "export")
INTRO = """# Families of models
Written by `python tools/family_table.py --out docs/families.md`. Every family is its published
config with few channels and random weights, on a CPU. Teacher and student took {steps} steps. A
cell that is not "yes" says what was found, or that nobody has run it yet.

| column | "yes" means |
|---|---|
| steps | {steps} steps with pseudo labels, all losses finite, the student moved |
| weights | all weights of labels times 1/2 are all losses times 1/2 |
| ignore | an image that is to be ignored everywhere has the loss 0 |
| AMP | two steps in bfloat16, all losses finite |
| two processes | {steps} steps under DDP (gloo), one process without labels; equal weights then |
| export | the student's weights load into the plain model, which predicts the same |

SyncBatchNorm needs GPUs, and is plain BatchNorm in two processes here. SegNeXt draws random numbers
for each prediction: its two are compared after the same seed. SAN reads its CLIP from a file of
random weights, since MMSegmentation draws none.

`hf` are models of [Hugging Face](models.md), `seg` segmentors.
"""
OUTRO = """
| not here | why |
|---|---|
| CenterNet, SSD, YOLACT | `ssdet init` refuses them by name, with the reason |
| CO-DETR, MaskDINO, YOLOv8 | not in the MMDetection that pip installs: projects beside it |
| Grounding DINO | a [teacher](models.md#a-teacher-that-needs-only-names), not a student |
| GLIP | learns from texts, so `ssdet init` refuses it |
"""


class KeepThree(StepHook):
    """An untrained teacher is sure of nothing: its three best boxes of an image must do."""

    phase = Phase.LABEL

    def after_teacher(self, step: Any) -> None:
        for image, found in enumerate(step.pseudo):
            size = found.masks.flatten(1).sum(1) if "masks" in found else found.scores
            step.drop(image, size.argsort(descending=True).argsort() >= 3, "rank")


class Family:
    """A family: its small config, its batches, and how its losses are asked."""

    def __init__(self, name: str, kind: str, config: Callable[[str], Any], masks: bool) -> None:
        self.name, self.kind, self.config, self.masks = name, kind, config, masks

    def small(self) -> Any:
        """Its config, in which nothing is too unlikely to be a pseudo box."""
        cfg = self.config(self.name)
        for part in (cfg.get("test_cfg") or {}, (cfg.get("test_cfg") or {}).get("rcnn", {})):
            if "score_thr" in part:
                part["score_thr"] = 0.0
        return cfg

    def pair(self, seed: int = 0) -> Any:
        """Teacher and student, away from initial values at which nothing moves."""
        torch.manual_seed(seed)
        MessageHub.get_current_instance().update_info("epoch", 4)  # TOOD asks for it
        cfg = self.small()
        wrapper = "Segmentor" if self.kind == "pixels" else "Detector"
        key = wrapper.lower()
        model = MODELS.build({"type": f"TeacherStudent{wrapper}", key: cfg}).train()
        detectors.initialized(model)
        with torch.no_grad():
            for parameter in model.student.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.02)
        model.copy_student()
        if self.kind == "boxes":
            model.attach(KeepThree())
        return model

    def batch(self, labeled: bool = True) -> dict[str, Any]:
        """A labeled image and an unlabeled one with two views."""
        if self.kind == "pixels":
            return seg_batch(sup=2, unsup=2, size=SIZE, classes=3)
        images = [torch.randint(0, 255, (3, *SIZE), dtype=torch.uint8) for _ in range(4)]
        boxes = BOXES if labeled else []
        truth = [detectors.sample(boxes, masks=self.masks) for _ in range(2)]
        unlabeled = [detectors.sample() for _ in range(2)]
        strong = [detectors.sample() for _ in range(2)]
        none = [None, None]
        return dict(
            inputs=dict(
                sup=[*images[:2], *none], unsup_teacher=[*none, *images[2:]],
                unsup_student=[*none, *images[2:]],
            ),
            data_samples=dict(
                sup=[*truth, *none], unsup_teacher=[*none, *unlabeled],
                unsup_student=[*none, *strong],
            ),
        )  # fmt: skip

    def asked(self, model: Any, weight: float, *, ignored: bool = False) -> dict[str, float]:
        """Losses of the student on one batch, whose labels all have this weight."""
        torch.manual_seed(5)
        inputs = torch.randn(2, 3, *SIZE)
        if self.kind == "pixels":
            labels, ones = torch.randint(3, (2, *SIZE)), torch.ones(2, *SIZE)
            valid = torch.zeros(2, *SIZE) > 0 if ignored else ones > 0
            targets = PixelLabels(labels, ones, ones * weight, valid)
            views = Views(inputs, [seg_sample(SIZE) for _ in range(2)])
            found = model.student_losses(views, targets)
        else:
            some = [] if ignored else BOXES
            fields = dict(
                weight_cls=[weight] * len(some), weight_box=[weight] * len(some),
                background_weight=weight, masks=self.masks,
                ignored=[(-4096, -4096, 4096, 4096)] if ignored else (),
            )  # fmt: skip
            found = model.student.loss(inputs, [detectors.sample(some, **fields)] * 2)
        summed = {k: sum(v) if isinstance(v, list) else v for k, v in found.items()}
        return {key: float(value) for key, value in summed.items() if "loss" in key}


def families() -> dict[str, Family]:
    """All families by name."""
    found = {}
    for name in (*detectors.FAMILIES, *detectors.MASK_FAMILIES, *detectors.TABLE_CONFIGS):
        masks = name in (*detectors.MASK_FAMILIES, "mask_rcnn", "rtmdet_ins")
        found[name] = Family(name, "boxes", detectors.small_config, masks)
    for name in hugging_face.FAMILIES:
        found[f"hf {name}"] = Family(name, "boxes", hugging_face.hf_config, False)
    for name in hugging_face.BACKBONES:
        found[f"hf dinov3 {name}"] = Family(name, "boxes", hugging_face.hf_backbone_config, False)
    for name in (*segmentors.FAMILIES, *segmentors.TABLE_CONFIGS):
        found[f"seg {name}"] = Family(name, "pixels", segmentors.small_config, False)
    for name in hugging_face.SEGMENTORS:
        found[f"hf seg {name}"] = Family(name, "pixels", hugging_face.hf_seg_config, False)
    return found


# ---------------------------------------------------------------------- what is measured


def optimizer_of(model: Any, wrapper: type = OptimWrapper, **settings: Any) -> Any:
    """SGD with a small rate on what learns."""
    learned = [p for p in model.parameters() if p.requires_grad]
    return wrapper(optimizer=torch.optim.SGD(learned, lr=1e-4), **settings)


def trained(family: Family, count: int, **settings: Any) -> Any:
    """A pair after some steps; an error if a loss is not finite or nothing moved."""
    model = family.pair()
    ema = TeacherEMAHook(momentum=0.9)
    model.attach(ema)
    start = copy.deepcopy(model.student.state_dict())
    optimizer = optimizer_of(model, **settings)
    for _ in range(count):
        log = model.train_step(family.batch(), optimizer)
        ema.update()
        bad = [k for k, v in log.items() if not torch.as_tensor(v).isfinite().all()]
        if bad:
            raise ValueError(f"not finite: {', '.join(bad)}")
    moved = model.student.state_dict()
    if all(torch.equal(value, start[key]) for key, value in moved.items()):
        raise ValueError("nothing moved")
    return model


def steps(family: Family) -> str:
    trained(family, STEPS)
    return "yes"


def weights(family: Family) -> str:
    model = family.pair()
    full, half = (family.asked(model, weight) for weight in (1.0, 0.5))
    off = [k for k, v in full.items() if abs(half[k] - v / 2) > 1e-4 * abs(v) + 1e-6]
    if not off:
        return "yes"
    return "no" if len(off) == len(full) else f"not in {shortened(off)}"


def ignore(family: Family) -> str:
    left = family.asked(family.pair(), 1.0, ignored=True)
    off = [key for key, value in left.items() if abs(value) > 1e-6]
    return f"not in {shortened(off)}" if off else "yes"


def amp(family: Family) -> str:
    trained(family, 2, wrapper=CpuAmpOptimWrapper)
    return "yes"


def export(family: Family) -> str:
    model = family.pair().eval()
    scope = "mmseg" if family.kind == "pixels" else "mmdet"
    plain = MODELS.build({"_scope_": scope, **family.small()}).eval()
    state = model.state_dict()
    own = {k.removeprefix("student."): v for k, v in state.items() if k.startswith("student.")}
    plain.load_state_dict(own)
    model.predict_with = "student"
    pixels = family.kind == "pixels"
    sample = seg_sample(LARGE) if pixels else detectors.sample(size=LARGE)
    data = dict(inputs=[torch.full((3, *LARGE), 90, dtype=torch.uint8)], data_samples=[sample])
    found = []
    for one in (model, plain):
        torch.manual_seed(6)
        with torch.no_grad():
            found.append(one.test_step(copy.deepcopy(data))[0])
    if family.kind == "pixels":
        same = torch.equal(*(one.seg_logits.data for one in found))
    else:
        same = torch.allclose(*(one.pred_instances.scores for one in found))
    return "yes" if same else "predicts otherwise"


def shortened(keys: list[str]) -> str:
    """Losses of all layers and stages as one name."""
    names = sorted({key.rpartition(".")[2] for key in keys})
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


CHECKS = dict(steps=steps, weights=weights, ignore=ignore, AMP=amp, export=export)


def measured(name: str, check: Callable[[Family], str]) -> str:
    """The cell of a family; an error is a cell too."""
    try:
        return check(families()[name])
    except Exception as error:  # whatever goes wrong with a family is what the table reports
        traceback.print_exc()
        return f"{type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}"


# ---------------------------------------------------------------------- two processes


def together(rank: int, names: list[str], folder: str) -> None:
    """All families, one after the other, in one of two processes."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank))
    torch.set_num_threads(1)
    for number, name in enumerate(names):
        file = Path(folder, f"{number}-{rank}.json")
        store = f"file://{folder}/{number}-store"
        torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
        said = json.dumps(measured(name, lambda family: _under_ddp(family, rank)))
        with replacing(file) as temporary:
            temporary.write_text(said)
        torch.distributed.destroy_process_group()


def _under_ddp(family: Family, rank: int) -> str:
    model = revert_sync_batchnorm(family.pair())
    ema = TeacherEMAHook(momentum=0.9)
    model.attach(ema)
    wrapped = DistributedDataParallel(model, broadcast_buffers=False)
    optimizer = optimizer_of(model)
    torch.manual_seed(rank)
    for _ in range(STEPS):
        data = model.data_preprocessor(family.batch(labeled=rank == 0), True)
        optimizer.update_params(total(wrapped(**data, mode="loss")))
        ema.update()
    own = torch.cat([p.detach().flatten() for p in model.student.parameters()])
    others = [torch.empty_like(own) for _ in range(2)]
    torch.distributed.all_gather(others, own)
    return "yes" if torch.equal(*others) else "weights differ"


def in_two_processes(names: list[str], context: Any) -> Iterator[tuple[str, str]]:
    """The column of two processes; after a family in which one waits for ever the rest goes on."""
    rest = list(names)
    while rest:
        with tempfile.TemporaryDirectory() as folder:
            pair = [context.Process(target=together, args=(r, rest, folder)) for r in (0, 1)]
            for process in pair:
                process.start()
            done = 0
            for number, name in enumerate(rest):
                said = [Path(folder, f"{number}-{rank}.json") for rank in (0, 1)]
                until = time.monotonic() + LIMIT
                while not all(file.exists() for file in said) and time.monotonic() < until:
                    time.sleep(0.2)
                done += 1
                if not all(file.exists() for file in said):
                    yield name, "one waits for the other"
                    break
                cells = {json.loads(file.read_text()) for file in said}
                yield name, next(iter(sorted(cells - {"yes"})), "yes")
            for process in pair:
                process.kill()
                process.join()
            rest = rest[done:]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = list(families())
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(known)}")
    parser.add_argument("--out", type=Path, help="the page; it is printed as well")
    parser.add_argument("--cells", type=Path, help="a file of what is measured, to go on from")
    parser.add_argument("--write", action="store_true", help="measure nothing, write --cells")
    options = parser.parse_args()
    chosen = options.families or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        parser.error(f"{unknown[0]!r} is not one of {', '.join(known)}")
    # Families that are not asked for keep what the page says of them.
    cells = on_page(options.out) if options.families else {}
    cells.update((name, {}) for name in chosen)
    if options.cells and options.cells.exists():
        cells.update(json.loads(options.cells.read_text()))
    if not options.write:
        measure(cells, chosen, options.cells)
    listed = [name for name in known if name in cells]
    rows = [f"| family | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    rows += [f"| {n} | {' | '.join(cells[n].get(c, 'not run') for c in COLUMNS)} |" for n in listed]
    page = "\n".join([INTRO.format(steps=STEPS), *rows, OUTRO])
    print(page)
    if options.out:
        options.out.write_text(page)


def on_page(page: Path | None) -> dict[str, dict[str, str]]:
    """The cells of a page that was written before."""
    if page is None or not page.exists():
        return {}
    found = {}
    for line in page.read_text().splitlines():
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if len(cells) == len(COLUMNS) and name not in ("family", "---"):
            found[name] = dict(zip(COLUMNS, cells, strict=True))
    return found


def measure(cells: dict[str, dict[str, str]], names: list[str], file: Path | None) -> None:
    """Fill the cells that are empty."""
    for name in names:
        for column, check in CHECKS.items():
            if column not in cells[name]:
                cells[name][column] = measured(name, check)
        keep(file, cells)
        print(name, cells[name], flush=True)
    rest = [name for name in names if COLUMNS[4] not in cells[name]]
    for name, said in in_two_processes(rest, torch.multiprocessing.get_context("spawn")):
        cells[name][COLUMNS[4]] = said
        keep(file, cells)


def keep(file: Path | None, cells: dict[str, dict[str, str]]) -> None:
    """Write what is known so far."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(cells, indent=1))


if __name__ == "__main__":
    main()
