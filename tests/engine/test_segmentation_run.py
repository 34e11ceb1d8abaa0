"""A segmentor end to end: label files that start at 1, bfloat16, and a run that is resumed."""

import copy
import itertools

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS, RUNNERS

from ssdet.engine.amp import SLOWER, bf16_factor
from ssdet.engine.configs import load_config
from ssdet.hooks import StepHook
from ssdet.teacher_student.phase import Phase

from ..seg_helpers import tiny_fcn

SIDE, CLASSES = 32, ("ground", "box", "sky")
_count = itertools.count()


@HOOKS.register_module(force=True)
class LabelsForTests(StepHook):
    """Remembers what the student learns from annotations, and from the teacher."""

    phase = Phase.LOSS

    def __init__(self):
        self.annotated, self.pseudo, self.taught = set(), set(), []

    def before_train(self, runner):
        super().before_train(runner)
        if runner.iter == 0:  # most pixels are the first class to an untrained model
            for model in (runner.model.teacher, runner.model.student):
                model.decode_head.conv_seg.bias.data[0] = 1.0

    def before_student(self, step):
        maps = [sample.gt_sem_seg.data for sample in step.sup.samples]
        self.annotated |= set(torch.cat(maps).unique().tolist())
        self.pseudo |= set(step.pseudo_pixels.labels.unique().tolist())
        self.taught.append(step.pseudo_pixels.labels.clone())


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Six images; their label files say 1, 2, 3 for the three classes, and 0 for "not labeled"."""
    root = tmp_path_factory.mktemp("ade")
    for folder in ("images", "more", "masks"):
        (root / folder).mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        mask = np.ones((SIDE, SIDE), np.uint8)
        left = int(rng.integers(4, 16))
        mask[8:24, left : left + 12] = 2
        mask[:6] = 3
        image = (mask[..., None] * 70 + rng.integers(0, 40, (SIDE, SIDE, 3))).astype(np.uint8)
        mask[28:] = 0
        cv2.imwrite(str(root / ("images" if number < 4 else "more") / f"{number}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{number}.png"), mask)
    return root


def run_config(root, work_dir, iterations):
    """Two labeled and one unlabeled image per iteration, bfloat16, an evaluation at the end."""
    base = load_config("_base_/default_runtime.py")
    pack = dict(type="PackSegInputs")
    load = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")]
    labeled = dict(
        type="BaseSegDataset",
        data_root=str(root),
        data_prefix=dict(img_path="images", seg_map_path="masks"),
        img_suffix=".png",
        reduce_zero_label=True,
        metainfo=dict(classes=CLASSES),
    )
    sup = dict(type="WeakStrongViews", shared=load, views=dict(sup=[pack]))
    strong = [dict(type="RandomFlip", prob=0.5), dict(type="StrongPhotometric"), pack]
    views = dict(unsup_teacher=[pack], unsup_student=strong)
    unlabeled = dict(
        type="UnlabeledImages",
        source=str(root / "more"),
        pipeline=[dict(type="WeakStrongViews", shared=load[:1], views=views)],
    )
    loader = dict(num_workers=0, persistent_workers=False)
    config = Config(copy.deepcopy(base.to_dict()))
    config.merge_from_dict(
        dict(
            test_cfg=None,
            default_scope="mmseg",
            work_dir=str(work_dir),
            experiment_name=f"segmentation{next(_count)}",
            model=dict(
                type="TeacherStudentSegmentor",
                segmentor=tiny_fcn(num_classes=len(CLASSES), dropout_ratio=0.1),
            ),
            custom_hooks=[
                dict(type="TeacherEMAHook", momentum=0.5),
                dict(type="FixedThresholdHook", score=0.3),
                dict(type="CutMixHook", prob=1.0),
                dict(type="LabelsForTests"),
            ],
            train_dataloader=dict(
                batch_size=3,
                sampler=dict(type="LabeledUnlabeledSampler", batch=(2, 1)),
                dataset=dict(
                    type="LabeledUnlabeledDataset",
                    datasets=[dict(labeled, pipeline=[sup]), unlabeled],
                ),
                **loader,
            ),
            val_dataloader=dict(
                batch_size=2,
                drop_last=False,
                sampler=dict(type="DefaultSampler", shuffle=False),
                dataset=dict(labeled, test_mode=True, pipeline=[*load, pack]),
                **loader,
            ),
            val_evaluator=dict(type="IoUMetric", iou_metrics=["mIoU"]),
            train_cfg=dict(type="IterBasedTrainLoop", max_iters=iterations, val_interval=4),
            optim_wrapper=dict(
                type="AmpOptimWrapper", optimizer=dict(type="SGD", lr=0.05, momentum=0.9)
            ),
            param_scheduler=[dict(type="PolyLR", by_epoch=False, begin=0, end=4, power=0.9)],
            default_hooks=dict(checkpoint=dict(interval=2), metrics=dict(interval=1)),
        )
    )
    return config


def trained(*args, resume=False):
    config = run_config(*args)
    config.resume = resume
    runner = RUNNERS.build(config)
    runner.train()
    return runner


def seen_by(runner):
    return next(hook for hook in runner.hooks if isinstance(hook, LabelsForTests))


@pytest.fixture(scope="module")
def whole(photographs, tmp_path_factory):
    return trained(photographs, tmp_path_factory.mktemp("whole"), 4)


def test_labels_of_files_are_shifted_once_and_pseudo_labels_never(whole):
    """A file's 1 is the first class, its 0 is learned by nobody; the teacher's 0 is a class."""
    chosen = type(whole.optim_wrapper).__name__
    assert ("Amp" in chosen) == (bf16_factor() <= SLOWER)  # whether this CPU has it
    assert seen_by(whole).annotated == {0, 1, 2, 255}
    assert 0 in seen_by(whole).pseudo <= {0, 1, 2}


def test_the_evaluation_reads_the_files_in_the_same_way(whole, photographs):
    shared, either = np.zeros(3), np.zeros(3)
    model = whole.model.teacher.eval()
    for sample in whole.val_dataloader.dataset:
        batch = model.data_preprocessor({key: [value] for key, value in sample.items()}, False)
        with torch.no_grad():
            found = model(**batch, mode="predict")[0].pred_sem_seg.data[0].numpy()
        name = sample["data_samples"].img_path.rpartition("/")[2]
        truth = cv2.imread(str(photographs / "masks" / name), cv2.IMREAD_UNCHANGED)
        for label in range(3):
            one, other = found[truth > 0] == label, truth[truth > 0] == label + 1
            shared[label] += (one & other).sum()
            either[label] += (one | other).sum()
    logged = whole.message_hub.get_scalar("val/teacher/mIoU").current()
    assert logged == pytest.approx(100 * (shared / either).mean(), abs=0.01)


def test_a_resumed_run_in_bfloat16_goes_on_bit_for_bit(whole, photographs, tmp_path):
    """Weights, momenta, the teacher, the mixing and the weak labels of the two last iterations."""
    trained(photographs, tmp_path, 2)
    again = trained(photographs, tmp_path, 4, resume=True)
    for one, other in zip(seen_by(again).taught, seen_by(whole).taught[2:], strict=True):
        assert torch.equal(one, other)
    ours, theirs = again.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    assert ours.keys() == theirs.keys()
