"""Weak and strong views of one decoded image, in the batch format of MMDetection's MultiBranch."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from ..registry import TRANSFORMS
from .color_tables import has_planes, planar
from .geometry_record import KEY, RecordGeometry
from .seeding import derive_seed, seeded

# What a sample says of its image, whatever `meta_keys` the transform that packs it names.
CARRIED = ("exhaustive",)
BRANCHES = ("sup", "unsup_teacher", "unsup_student")


@TRANSFORMS.register_module()
class WeakStrongViews(BaseTransform):
    """Decodes an image once and makes one view of it for each branch.

    `shared` loads the image and may move its pixels for all views alike; then each view goes its
    own way, with random numbers of its own: adding a second strong view changes none of the others.
    Every view's `homography_matrix` reaches its data sample, whatever the `meta_keys` of the
    packing transform say, also with the transforms of MMSegmentation (see `RecordGeometry`).

    Args:
        views: Branch name -> transforms, ending with PackDetInputs or PackSegInputs. A labeled
            source has 'sup', and perhaps 'sup_2', ... (further views of each labeled image, for the
            same pass); an unlabeled one 'unsup_teacher' (weak), 'unsup_student' (strong) and
            perhaps 'unsup_student_2', ...
        shared: Transforms before the views, starting with the one that loads the image.
        branch_field: All branches of the batch, the same list for every source.
    """

    def __init__(
        self,
        views: Mapping[str, Sequence[Any]],
        shared: Sequence[Any] = (),
        branch_field: Sequence[str] = BRANCHES,
    ) -> None:
        unknown = sorted(set(views) - set(branch_field))
        if not views or unknown:
            raise ValueError(
                f"WeakStrongViews: views has {list(views)}; name at least one, and only branches "
                f"of branch_field={tuple(branch_field)}"
            )
        self.branch_field = tuple(branch_field)
        self.shared = RecordGeometry(shared)
        self.views = {branch: RecordGeometry(steps) for branch, steps in views.items()}

    def transform(self, results: dict) -> dict | None:
        """One packed sample for each branch, None for the branches of other sources."""
        shared = self.shared(results)
        if shared is None:
            return None
        base = int(np.random.randint(2**31))
        last = [branch for branch in self.branch_field if branch in self.views][-1]
        batch: dict = {"inputs": {}, "data_samples": {}}
        for index, branch in enumerate(self.branch_field):
            packed: dict | None = {}
            if branch in self.views:
                results = shared if branch == last else _copied(shared, self.views[branch])
                with seeded(derive_seed(base, index)):
                    packed = _view(results, self.views[branch])
            if packed is None:
                return None
            for key, column in batch.items():
                column[branch] = packed.get(key)
        return batch

    def __repr__(self) -> str:
        return f"{type(self).__name__}(views={list(self.views)})"


def _copied(shared: dict, steps: RecordGeometry) -> dict:
    """What a view may change: its transforms may write into the arrays they are given."""
    rest = {key: value for key, value in shared.items() if key != "img"}
    if len(steps.transforms) == 1 and has_planes(shared["img"]):  # packing makes a new image
        return {**copy.deepcopy(rest), "img": shared["img"]}
    return copy.deepcopy(shared)


def _view(results: dict, steps: RecordGeometry) -> dict | None:
    *changes, pack = steps
    for step in changes:
        results = step(results)
        if results is None:
            return None
    matrix = results.get(KEY)
    known = {key: results[key] for key in CARRIED if key in results}
    results["img"] = planar(results["img"])
    results = pack(results)
    results["data_samples"].set_metainfo({**known, KEY: np.eye(3) if matrix is None else matrix})
    return results
