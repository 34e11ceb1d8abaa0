"""The demo of few labeled frames in each video."""

import numpy as np
import pytest

from ssdet.datasets import DigitVideos, LabeledUnlabeledSampler, LoadDigitScene
from ssdet.engine.configs import load_config

OPTIONS = dict(count=3, frames=6, image_size=48, digits=(0, 3))


def frame(data, number):
    return LoadDigitScene().transform(data.get_data_info(number))


def test_a_camera_moves_over_a_scene():
    data = DigitVideos(**OPTIONS)
    assert len(data) == 18
    paths = [data.get_data_info(n)["img_path"] for n in (0, 5, 6)]
    assert paths[0].endswith("train-videos/0000/0000.png")
    assert [path.split("/")[-2:] for path in paths[1:]] == [
        ["0000", "0005.png"],
        ["0001", "0000.png"],
    ]
    first, other, same = frame(data, 0), frame(data, 5), frame(DigitVideos(**OPTIONS), 0)
    assert first["img"].shape == (48, 48, 3) and first["gt_seg_map"].shape == (48, 48)
    assert np.array_equal(first["img"], same["img"])
    assert not np.array_equal(first["img"], other["img"])
    # The way is straight: what two neighbors share is the same, moved by some pixels.
    near = frame(data, 1)["img"]
    moves = [(y, x) for y in range(-6, 7) for x in range(-6, 7)]
    middle = slice(12, 36), slice(12, 36)
    assert any(
        np.array_equal(np.roll(near, move, (0, 1))[middle], first["img"][middle]) for move in moves
    )


def test_frames_of_each_video_are_labeled():
    labeled, others = (DigitVideos(split=s, labeled=2, **OPTIONS) for s in ("labeled", "unlabeled"))
    assert len(labeled) == 6 and len(others) == 12
    assert set(labeled.numbers) | set(others.numbers) == set(range(18))
    assert [number // 6 for number in labeled.numbers] == [0, 0, 1, 1, 2, 2]
    gaps = np.diff(np.reshape(labeled.numbers, (3, 2)))
    assert (gaps == 3).all()  # evenly apart
    assert "gt_seg_map" not in frame(others, 0)
    with pytest.raises(ValueError, match="labeled=6 of frames=6"):
        DigitVideos(labeled=6, **OPTIONS)


def test_a_batch_of_the_demo_is_of_one_video():
    config = load_config("label_disk/deeplabv3plus_video_demo.py")
    datasets = config.train_dataloader.dataset.datasets
    sources = [DigitVideos(**{k: v for k, v in one.items() if k not in ("type", "pipeline")})
               for one in datasets]  # fmt: skip
    assert [len(one) for one in sources] == [100, 500]

    class Both:
        datasets = sources

        def __len__(self):
            return 600

    sampler = LabeledUnlabeledSampler(Both(), batch=(4, 4), group_by="folder", seed=0)
    every = [*sources[0].numbers, *sources[1].numbers]
    for iteration in range(5):
        assert len({every[index] // 12 for index in sampler.batch_at(iteration)}) == 1
