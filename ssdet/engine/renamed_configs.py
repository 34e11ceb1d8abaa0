"""Former names of shipped configs: each works for one release, with a warning."""

# ruff: noqa: E501

from __future__ import annotations

import warnings

NEW_NAMES = {
    "_base_/models/cascade_rcnn_r18_tiny.py": "_base_/models/cascade-rcnn_r18_tiny.py",
    "_base_/models/dpt_dinov2_b.py": "_base_/models/dpt_dinov2-b.py",
    "_base_/models/faster_rcnn_r18_small.py": "_base_/models/faster-rcnn_r18_small.py",
    "_base_/models/faster_rcnn_r18_tiny.py": "_base_/models/faster-rcnn_r18_tiny.py",
    "_base_/models/mask_rcnn_r18_small.py": "_base_/models/mask-rcnn_r18_small.py",
    "_base_/models/mask_rcnn_r18_tiny.py": "_base_/models/mask-rcnn_r18_tiny.py",
    "_base_/models/siamese_deeplabv3plus_r18_tiny.py": "_base_/models/siamese-deeplabv3plus_r18_tiny.py",
    "_base_/models/siamese_deeplabv3plus_r50.py": "_base_/models/siamese-deeplabv3plus_r50.py",
    "cascade/cascade_rcnn_demo.py": "cascade/cascade-rcnn_demo.py",
    "change_detection/siamese_deeplabv3plus_demo.py": "change_detection/siamese-deeplabv3plus_demo.py",
    "change_detection/siamese_deeplabv3plus_r50_levir.py": "change_detection/siamese-deeplabv3plus_r50_levir.py",
    "change_detection/unimatch_deeplabv3plus_r50_levir.py": "change_detection/siamese-deeplabv3plus_r50_unimatch_levir.py",
    "copy_paste/mask_rcnn_demo.py": "copy_paste/mask-rcnn_demo.py",
    "dual_polish/faster_rcnn_demo.py": "dual_polish/faster-rcnn_demo.py",
    "hssda/faster_rcnn_demo.py": "hssda/faster-rcnn_demo.py",
    "label_bank/deeplabv3plus_demo.py": "label_disk/deeplabv3plus_demo.py",
    "label_bank/deeplabv3plus_r101_voc12.py": "label_disk/deeplabv3plus_r101_voc12.py",
    "label_bank/faster-rcnn_r50_coco.py": "label_disk/faster-rcnn_r50_coco.py",
    "label_bank/faster-rcnn_r50_coco_second.py": "label_disk/faster-rcnn_r50_coco_second.py",
    "label_bank/gfl_demo.py": "label_disk/gfl_demo.py",
    "label_efficiency/bccd_detection.py": "label_efficiency/retinanet_r18_bccd.py",
    "label_efficiency/bccd_faster_rcnn.py": "label_efficiency/faster-rcnn_r18_bccd.py",
    "label_efficiency/bccd_fusion.py": "label_efficiency/retinanet_r18_bccd_fusion.py",
    "label_efficiency/bccd_label_distribution.py": "label_efficiency/retinanet_r18_bccd_label_distribution.py",
    "label_efficiency/bccd_mixpl.py": "label_efficiency/retinanet_r18_bccd_mixpl.py",
    "label_efficiency/bccd_resting_teacher.py": "label_efficiency/retinanet_r18_bccd_frozen_teacher.py",
    "label_efficiency/dsb2018_mask_rcnn.py": "label_efficiency/mask-rcnn_r18_dsb2018.py",
    "label_efficiency/dsb2018_resting_teacher.py": "label_efficiency/deeplabv3plus_r18_dsb2018_frozen_teacher.py",
    "label_efficiency/dsb2018_segmentation.py": "label_efficiency/deeplabv3plus_r18_dsb2018.py",
    "labelmatch/faster_rcnn_demo.py": "labelmatch/faster-rcnn_demo.py",
    "mean_teacher/faster_rcnn_demo.py": "mean_teacher/faster-rcnn_demo.py",
    "mixed/faster_rcnn_demo.py": "mixed/faster-rcnn_demo.py",
    "mixpl/faster_rcnn_demo.py": "mixpl/faster-rcnn_demo.py",
    "second_source/deeplabv3plus_demo.py": "external_labels/deeplabv3plus_demo.py",
    "second_source/deeplabv3plus_r101_voc12.py": "external_labels/deeplabv3plus_r101_voc12.py",
    "second_source/siamese_deeplabv3plus_r50_levir.py": "external_labels/siamese-deeplabv3plus_r50_levir.py",
    "soft_teacher/faster_rcnn_demo.py": "soft_teacher/faster-rcnn_demo.py",
    "soft_teacher/mask_rcnn_demo.py": "soft_teacher/mask-rcnn_demo.py",
    "thresholds/correlation_deeplabv3plus_demo.py": "thresholds/deeplabv3plus_correlation_demo.py",
    "thresholds/gmm_deeplabv3plus_demo.py": "thresholds/deeplabv3plus_gmm_demo.py",
    "thresholds/gmm_gfl_demo.py": "thresholds/gfl_gmm_demo.py",
    "thresholds/quantile_deeplabv3plus_demo.py": "thresholds/deeplabv3plus_quantile_demo.py",
    "unbiased_teacher/faster_rcnn_demo.py": "unbiased_teacher/faster-rcnn_demo.py",
    "unimatch_v2/dpt_dinov2_b_cityscapes.py": "unimatch_v2/dpt_dinov2-b_cityscapes.py",
    "unimatch_v2/dpt_dinov2_b_voc12.py": "unimatch_v2/dpt_dinov2-b_voc12.py",
}

# Configs for the user's own data. A command writes them now: for which model, with which method.
WRITTEN_BY_INIT = {
    "_base_/datasets/own_det.py": ("retinanet-r50", "auto"),
    "_base_/datasets/own_det_unerased.py": ("retinanet-r50", "mixpl"),
    "_base_/datasets/own_inst.py": ("mask-rcnn-r50", "auto"),
    "_base_/datasets/own_seg.py": ("deeplabv3plus-r50", "auto"),
    "_base_/datasets/own_seg_two_views.py": ("deeplabv3plus-r50", "unimatch"),
    "_base_/schedules/own_det.py": ("retinanet-r50", "auto"),
    "_base_/schedules/own_seg.py": ("deeplabv3plus-r50", "auto"),
    "copy_paste/mask-rcnn_r50_own.py": ("mask-rcnn-r50", "copy-paste"),
    "cw_bass/deeplabv3plus_r50_own.py": ("deeplabv3plus-r50", "cw-bass"),
    "data_distillation/retinanet_r50_own.py": ("retinanet-r50", "data-distillation"),
    "fixmatch_seg/deeplabv3plus_r50_classmix_own.py": ("deeplabv3plus-r50", "classmix"),
    "fixmatch_seg/deeplabv3plus_r50_own.py": ("deeplabv3plus-r50", "fixmatch"),
    "hssda/retinanet_r50_own.py": ("retinanet-r50", "dual-thresholds"),
    "mean_teacher/retinanet_r50_own.py": ("retinanet-r50", "mean-teacher"),
    "mean_teacher_seg/deeplabv3plus_r50_own.py": ("deeplabv3plus-r50", "mean-teacher-soft"),
    "mixed/faster-rcnn_r50_own.py": ("faster-rcnn-r50", "mixed"),
    "mixpl/retinanet_r50_own.py": ("retinanet-r50", "mixpl"),
    "soft_teacher/faster-rcnn_r50_own.py": ("faster-rcnn-r50", "soft-teacher"),
    "soft_teacher/retinanet_r50_own.py": ("retinanet-r50", "soft-teacher-one-stage"),
    "thresholds/correlation_deeplabv3plus_r50_own.py": ("deeplabv3plus-r50", "corr-threshold"),
    "thresholds/gmm_retinanet_r50_own.py": ("retinanet-r50", "gmm-thresholds"),
    "unbiased_teacher/faster-rcnn_r50_own.py": ("faster-rcnn-r50", "unbiased-teacher"),
    "unimatch/deeplabv3plus_r50_own.py": ("deeplabv3plus-r50", "unimatch"),
    "unimatch_v2/deeplabv3plus_r50_own.py": ("deeplabv3plus-r50", "unimatch-v2"),
}


def renamed(name: str) -> str | None:
    """Return `name` with the new name of a config at its end, or None where nothing was renamed.

    A config that a command writes now raises an error, which gives the command.
    """
    from ..exits import UsageError

    def ends_with(old: str) -> bool:
        return name == old or name.endswith((f"/{old}", f"::{old}"))

    for old, (base, method) in WRITTEN_BY_INIT.items():
        if ends_with(old):
            raise UsageError(
                f"config {name!r}: no longer shipped; `ssdet init` writes it for your data: "
                f"ssdet init {base} --method {method} --labeled LABELED --unlabeled IMAGES"
            )
    for old, new in NEW_NAMES.items():
        if ends_with(old):
            return name.removesuffix(old) + new
    return None


def warn_of_new_name(name: str, new: str) -> None:
    """Warn that a config was loaded by its former name."""
    warnings.warn(
        f"config {name!r} has a new name: {new}; the old one works for one more release",
        FutureWarning,
        stacklevel=3,
    )
