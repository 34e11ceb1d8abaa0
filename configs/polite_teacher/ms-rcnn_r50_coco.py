# After Polite Teacher, for Mask Scoring R-CNN on 10 % of COCO: masks have a threshold of their own.
_base_ = [
    '../_base_/models/ms-rcnn_r50.py', '../_base_/datasets/coco_inst_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=2000, unsup_weight=2.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9996),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='MaskScoreHook', mask=0.5),
    _base_.gallery]
