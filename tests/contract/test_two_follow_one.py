"""Recipes in float64: two processes take the steps of one that sees the images of both.

Losses, gradients and the teacher are compared after each step. Two things are one process's own by
construction, and are turned off here: random numbers of hooks (`OWN_DRAWS`), and MMDetection's
losses that divide by counts of one process (`OWN_COUNTS`), instead of the mean over all. There both
processes get the same images, which makes these counts equal to those of one.
"""

import copy
import os

import pytest
import torch
import torch.distributed
from mmdet.models.task_modules import AnchorGenerator

from ssdet.recipes import METHODS
from ssdet.teacher_student.step import PixelLabels

from ..families.detectors import small_config
from ..reliability.harness import server
from . import loop
from .loop import Loop, batch_of
from .test_recipes import parts_of

STEPS, LIMIT = 5, 60  # seconds for each recipe, on a busy machine too
# FCOS divides by counts of all processes; RetinaNet, Faster R-CNN and Mask R-CNN do not, and the
# last one pastes masks in float32 only. CW-BASS divides by the weights of the pixels of a process,
# Dense Teacher by what the teacher sees in its images, the loss of scribbles by how alike neighbors
# are.
OWN_COUNTS = {"faster_rcnn", "cw-bass", "dense-teacher", "scribbles"}
# What turns off the random numbers that a process draws for its own images; None: leave it out.
OWN_DRAWS = {
    "BoxJitterHook": None, "BoxSpreadHook": None, "CopyPasteHook": None, "PatchShuffleHook": None,
    "EraseHook": None, "PseudoMixupHook": None, "FeaturePerturbationHook": None,
    "ComplementaryDropoutHook": None, "CutMixHook": dict(prob=0.0), "ClassMixHook": None,
    "PseudoMosaicHook": None, "AdaptiveCutMixHook": None, "StyleSwapHook": None,
    # No draw, but a normalizer that so few boxes would leave at its least value.
    "HybridMatchingHook": dict(switch=0),
    "DenseLabelHook": dict(per_image=True),  # no draw, but the richest places of all its images
    "MaskScoreHook": None,  # no draw either, but there are no masks
}  # fmt: skip
SILENT = ", one silent"  # from the third step on the second process has no pseudo label
# The targets of MMDetection's RTMDet are float32 only; `test_two_processes.py` has its hooks.
NAMES = [name for name in METHODS if name != "efficient-teacher"]
NAMES += [f"mean-teacher{SILENT}", f"fixmatch{SILENT}"]
# The others are long.
IN_EACH_SUITE = ("mean-teacher", "data-distillation", "cw-bass", *NAMES[-2:])


class Precise(Loop):
    """A `Loop` in float64 that writes down what each step did."""

    def __init__(self, folder, name, parts):
        self.one_is_silent = name.endswith(SILENT)
        name = name.removesuffix(SILENT)
        kind, hooks, model = parts_of(name)
        kind = {"retinanet": "fcos", "mask_rcnn": "faster_rcnn"}.get(kind, kind)
        hooks = [h for h in hooks if OWN_DRAWS.get(h["type"], h) is not None]
        hooks = [{**h, **(OWN_DRAWS.get(h["type"]) or {})} for h in hooks]
        self.parts, self.same_images = parts, not OWN_COUNTS.isdisjoint((kind, name))
        super().__init__(folder, kind, hooks, model, METHODS[name].strong_views)
        self.model.double()
        for module in self.model.modules():  # all samples of a head take part, so none is drawn
            sampler = getattr(module, "sampler", None)
            if sampler is not None and hasattr(sampler, "num"):
                sampler.num, sampler.pos_fraction = 10**6, 1.0
        self.model.train()

    def follow(self):
        """Take the steps; losses, gradients and teacher of each."""
        self._begin()
        found = []
        for number in range(STEPS):
            batch = _joined([self.images(number, part) for part in self.parts])
            for hook in self.hooks:
                hook.before_train_iter(self.runner, number, batch)
            torch.manual_seed(number)
            log = self.runner.model.train_step(batch, self.runner.optim_wrapper)
            found.append(self.state(log))
            self.runner.iter += 1
            for hook in self.hooks:
                hook.after_train_iter(self.runner, number, batch, log)
        return found

    def _surely(self, *args, **kwargs):
        found = _rounded(super()._surely(*args, **kwargs))
        if not self.one_is_silent or self.runner.iter < 2:
            return found
        speaks = [part == 0 for part in self.parts for _ in range(2)]
        if isinstance(found, PixelLabels):
            found.scores = found.scores * torch.tensor(speaks)[:, None, None]
            return found
        return [boxes if heard else boxes[:0] for boxes, heard in zip(found, speaks, strict=True)]

    def images(self, number, part):
        torch.manual_seed(10 * number + (0 if self.same_images else part))
        batch = batch_of(self.kind, self.views, part)
        for samples in batch["data_samples"].values():
            for sample in samples:
                if sample is not None and "gt_instances" in sample:
                    sample.gt_instances.bboxes = sample.gt_instances.bboxes.double()
        return batch

    def state(self, log):
        losses = {k: torch.as_tensor(v).double() for k, v in log.items() if "loss" in k}
        if len(self.parts) == 1:
            for value in losses.values():
                torch.distributed.all_reduce(value)
                value /= 2
        named = self.model.named_parameters()
        gradients = {k: p.grad.clone() for k, p in named if p.grad is not None}
        teacher = {k: v.clone() for k, v in self.model.teacher.state_dict().items()}
        kept = torch.as_tensor(float(log.get("pseudo/kept", 0)))
        return dict(losses=losses, gradients=gradients, teacher=teacher, kept=kept)


def _begin_in_float64():
    """What is made float32 on purpose, against half precision, is made float64 here."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    AnchorGenerator.grid_priors.__defaults__ = (torch.float64, "cpu")
    # MMDetection adds the epsilon of float32 to counts: half a count and it are not half of both.
    of_type = torch.finfo
    torch.finfo = lambda dtype=None: of_type(torch.float64)
    loop.DETECTORS["fcos"] = lambda: small_config("fcos")
    loop.DETECTORS["faster_rcnn"] = _with_many_boxes


def _with_many_boxes():
    """So many that a mixture of scores keeps some of them in each step."""
    cfg = loop._two_stage("faster_rcnn")
    cfg.test_cfg.rcnn.max_per_img = 20
    return cfg


def _rounded(found):
    """Labels without the last digits, in which a batch of two images differs from one of four.

    What is assigned to a box is decided by comparing for equality.
    """
    if not isinstance(found, PixelLabels):
        for boxes in found:
            boxes.bboxes = (boxes.bboxes * 2**16).round() / 2**16
            boxes.scores = (boxes.scores * 2**30).round() / 2**30
    return found


def _joined(batches):
    """One batch of the images of several; labeled ones first, as a sampler gives them."""
    joined = copy.deepcopy(batches[0])
    for batch in batches[1:]:
        for key, branches in joined.items():
            for branch, column in branches.items():
                column += batch[key][branch]
    order = [n for n, x in enumerate(joined["inputs"]["sup"]) if x is not None]
    order += [n for n, x in enumerate(joined["inputs"]["sup"]) if x is None]
    for branches in joined.values():
        for branch, column in branches.items():
            branches[branch] = [column[n] for n in order]
    return joined


def work(rank, folder, names):
    """What each of two processes does, for one recipe after the other."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank))
    _begin_in_float64()
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    for name in names:
        run = Precise(folder / f"{name}_{rank}", name, [rank])
        run.distribute()
        torch.save(run.follow(), folder / f"{name}_{rank}.pth")
    torch.distributed.destroy_process_group()


def alone(folder, names):
    """What one process does."""
    _begin_in_float64()
    for name in names:
        torch.save(
            Precise(folder / f"{name}_one", name, [0, 1]).follow(), folder / f"{name}_one.pth"
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, request):
    chosen = [item.callspec.params["name"] for item in request.session.items
              if item.module.__name__ == __name__]  # fmt: skip
    names = [name for name in NAMES if name in chosen]
    folder = tmp_path_factory.mktemp("follow")
    jobs = [(work, (rank, folder, names)) for rank in (0, 1)] + [(alone, (folder, names))]
    processes = [server().Process(target=target, args=args) for target, args in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LIMIT * len(names))
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert codes == [0, 0, 0], "a process failed (see its traceback), or waited for the other one"
    return folder


@pytest.mark.parametrize(
    "name", [n if n in IN_EACH_SUITE else pytest.param(n, marks=pytest.mark.long) for n in NAMES]
)
def test_two_processes_equal_one(name, folder):
    one, first, second = (
        torch.load(folder / f"{name}_{who}.pth", weights_only=True) for who in ("one", 0, 1)
    )
    assert len(one) == STEPS
    for step, (single, left, right) in enumerate(zip(one, first, second, strict=True)):
        for part in ("gradients", "teacher"):
            assert single[part].keys() == left[part].keys() == right[part].keys()
        for part in ("losses", "gradients", "teacher"):
            # Without a label anywhere, a process alone takes no pass: its losses have no names.
            zero = torch.zeros((), dtype=torch.float64)
            apart = {
                key: (value - single[part].get(key, zero)).abs().max().item()
                for key, value in {**single[part], **left[part]}.items()
                if not torch.allclose(
                    left[part].get(key, zero), single[part].get(key, zero), rtol=1e-9, atol=1e-12
                )
            }
            assert apart == {}, f"{name}, step {step}, {part}"
            assert all(torch.equal(v, right[part][key]) for key, v in left[part].items())
    # The comparison is of the whole method: pseudo labels took part.
    assert sum(step["kept"] > 0 for step in one) >= 3
