"""BCP on medical slices from lists: the shipped config reads, turns and trains on small ones."""

import random
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import HOOKS, MODELS, TRANSFORMS, DefaultScope
from mmengine.runner import Runner

from ssdet.datasets import check_views
from ssdet.engine.checkpoint_hook import headline
from ssdet.engine.configs import load_config

from ..helpers import total

SIDE = 64


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Two patients with three gray slices each, whose brightness is 60 times their label."""
    root = tmp_path_factory.mktemp("acdc")
    rows, columns = np.mgrid[:48, :40]
    names = [f"patient{n // 3:03}_frame01_slice_{n % 3}" for n in range(6)]
    for number, name in enumerate(names):
        label = np.zeros((48, 40), np.uint8)
        for k in (1, 2, 3):
            label[(rows - 24) ** 2 + (columns - 8 - 2 * number) ** 2 < (16 - 4 * k) ** 2] = k
        cv2.imwrite(str(root / f"{name}.png"), label * 60)
        (root / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(root / "masks" / f"{name}.png"), label)
    labeled = [f"{name}.png masks/{name}.png\n" for name in names]
    (root / "labeled.txt").write_text("".join(labeled[:3]))
    (root / "val.txt").write_text("".join(labeled))
    (root / "unlabeled.txt").write_text("".join(f"{name}.png\n" for name in names[3:]))
    variables = dict(data_root=f"{root}/", crop_size=(SIDE, SIDE), input_size=(SIDE, SIDE))
    variables |= dict(batch=(2, 2), num_workers=0, burn_in=1)
    for name in ("labeled", "unlabeled"):
        variables[f"{name}_list"] = str(root / f"{name}.txt")
    variables["val_list"] = str(root / "val.txt")
    with DefaultScope.overwrite_default_scope("mmseg"):
        yield load_config("bcp/unet_acdc.py", variables)


def test_slices_are_mirrored_as_often_as_those_of_bcp(config):
    """Its code turns by k * 90 degrees, k = 0..3, and flips: four reflections, each twice."""
    image = np.arange(64 * 64).reshape(64, 64) % 251
    image = image.astype(np.uint8)
    published = Counter(
        np.flip(np.rot90(image, k), axis).tobytes() for k in range(4) for axis in (0, 1)
    )
    assert set(published.values()) == {2} and len(published) == 4
    mirrored = TRANSFORMS.build(dict(type="Compose", transforms=config.turns.transforms[0]))
    np.random.seed(0)
    random.seed(0)
    drawn = Counter()
    for _ in range(400):
        drawn[mirrored(dict(img=image, img_shape=image.shape))["img"].tobytes()] += 1
    assert drawn.keys() == published.keys()
    assert all(70 <= count <= 130 for count in drawn.values()), "a hundred of each"
    assert config.turns.prob == [0.5, 0.25, 0.25]


def test_slices_turn_with_their_labels(config):
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    check_views(loader.dataset)
    turned = 0
    for _, batch in zip(range(6), loader, strict=False):
        for image, sample in zip(batch["inputs"]["sup"], batch["data_samples"]["sup"], strict=True):
            if image is None:
                continue
            label = sample.gt_sem_seg.data[0]
            assert label.shape == (SIDE, SIDE)
            known = label != 255
            close = (image[0].float() - label * 60).abs()[known] < 40
            assert close.float().mean() > 0.9
            turned += int((~known).any())
        for weak, strong in zip(
            batch["inputs"]["unsup_teacher"], batch["inputs"]["unsup_student"], strict=True
        ):
            assert weak is None or torch.equal(weak, strong), "nothing moves between the views"
    assert turned


def test_the_burn_in_and_a_step_after_it(config):
    model = MODELS.build(config.model).train()
    for hook in config.custom_hooks[:3]:
        model.attach(HOOKS.build(hook))
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    steps = []
    for _, batch in zip(range(2), loader, strict=False):
        steps.append(model(**model.data_preprocessor(batch, True), mode="loss"))
    assert set(steps[0]) == {"sup_decode.loss_ce", "sup_decode.loss_dice", "sup_decode.acc_seg"}
    found = {key for key in steps[1] if "loss" in key}
    assert found == {"unsup_decode.loss_ce", "unsup_decode.loss_dice"}
    for step in steps:
        assert torch.isfinite(total(step))
    # Four classes of an untrained network: log(4) at first, half of it, three parts' weight.
    assert 0.3 * 3 < steps[1]["unsup_decode.loss_ce"] < 1.5 * 3
    assert 0.2 * 3 < steps[1]["unsup_decode.loss_dice"] <= 0.5 * 3


def test_volumes_are_evaluated_at_their_own_size(config):
    loader = Runner.build_dataloader(config.val_dataloader, seed=0)
    model = MODELS.build(config.model).eval()
    evaluator = Evaluator(config.val_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    (batch,) = loader
    found = model(**model.data_preprocessor(batch, False), mode="predict")
    assert len(found) == 6
    for sample in found:
        assert sample.pred_sem_seg.shape == sample.gt_sem_seg.shape == (48, 40)
        # The middle slice of the second patient loses its left ventricle: a third of its pixels,
        # so Dice is 4/5 there, and the mean over two volumes and three classes 1 - 1/30.
        labels = sample.gt_sem_seg.data.clone()
        if "patient001_frame01_slice_1" in sample.img_path:
            labels[labels == 3] = 0
        sample.pred_sem_seg.data = labels
    evaluator.process(found)
    scores = evaluator.evaluate(6)
    assert scores["volume/mDice"] == pytest.approx(100 - 100 / 30)
    assert scores["volume/mHD95"] >= 0 and scores["mDice"] < 100
    assert headline([f"{who}/{key}" for who in ("student", "teacher") for key in scores]) == (
        "teacher/volume/mDice"
    )
