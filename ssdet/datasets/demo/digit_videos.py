"""Short videos of a camera that moves over a scene: the demo of a few labeled frames in each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...registry import DATASETS
from ..split_groups import Groups
from .digit_scenes import DigitScenesSeg, SceneFile
from .scenes import Scene, draw, draw_once

WIDER = 1.5  # a scene is by so much larger than what the camera sees of it


@dataclass(frozen=True)
class FrameFile(SceneFile):
    """What a sample carries instead of a file; `index` is the number of the video.

    Attributes:
        moment: How much of the way the camera has gone, 0 ... 1.
    """

    moment: float = 0.0

    def open(self) -> Scene:
        """What the camera sees at this moment; only its place in the scene changes."""
        height, width = self.options.size
        size = round(height * WIDER), round(width * WIDER)
        wide = replace(self.options, size=size)
        scene = (draw_once if self.cache else draw)(wide, self.index)
        key = (self.options.seed, int(self.options.validation), self.index, 17)
        corners = np.random.PCG64(np.random.SeedSequence(key)).random_raw(4) >> np.uint64(11)
        (y1, x1), (y2, x2) = corners.reshape(2, 2) * 2.0**-53
        top = round((y1 + (y2 - y1) * self.moment) * (size[0] - height))
        left = round((x1 + (x2 - x1) * self.moment) * (size[1] - width))
        rows, columns = slice(top, top + height), slice(left, left + width)
        masks = scene.masks[:, rows, columns]
        seen = masks.any((1, 2))
        return Scene(scene.image[rows, columns], scene.labels[seen], masks[seen])


@DATASETS.register_module()
class DigitVideos(DigitScenesSeg):
    """Videos for semantic segmentation, of which a few frames are labeled.

    A pipeline starts with `LoadDigitScene`. Each video has its own folder in `img_path`, so that
    `group_by="folder"` of the sampler tells them apart.

    Args:
        count: Videos.
        frames: Of each video.
        labeled: Labeled frames of each video, evenly apart, as `ssdet split --per-group` has them.
        options: See `DigitScenes`.
    """

    def __init__(
        self, *, count: int = 50, frames: int = 12, labeled: int = 2, **options: Any
    ) -> None:
        if not 0 < labeled < frames:
            raise ValueError(
                f"{type(self).__name__}: labeled={labeled} of frames={frames} in each video; at "
                "least one must be labeled, and one not"
            )
        self.frames = frames
        super().__init__(count=count * frames, labeled=labeled * count, **options)

    def _numbers(self, count: int, labeled: int, fold: int) -> list[int]:
        """The frames of a split: number of the video x frames + number of the frame."""
        every = [f"{number:06d}" for number in range(count)]
        if self.split not in ("labeled", "unlabeled"):
            return list(range(count))
        videos = Groups({name: str(int(name) // self.frames) for name in every}, "folder")
        chosen = set(map(int, videos.spread(every, labeled * self.frames // count, fold)))
        return [n for n in range(count) if (n in chosen) == (self.split == "labeled")]

    def load_data_list(self) -> list[dict]:
        """One entry for each frame; nothing is drawn yet."""
        entries = super().load_data_list()
        for entry in entries:
            video, frame = divmod(entry["img_id"], self.frames)
            folder = entry["img_path"].rpartition("/")[0]
            entry["img_path"] = f"{folder}-videos/{video:04d}/{frame:04d}.png"
        return entries

    def get_data_info(self, idx: int) -> dict:
        """The entry of a frame, with the means to draw it."""
        info = super().get_data_info(idx)
        video, frame = divmod(info["img_id"], self.frames)
        moment = frame / (self.frames - 1)
        file = FrameFile(self.scenes, video, not self.unlabeled, self.cache, moment)
        return {**info, "scene": file}
