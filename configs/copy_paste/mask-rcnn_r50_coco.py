# Mask R-CNN on 10 % of COCO: pseudo boxes and masks of a mean teacher, and labeled instances pasted
# into the strong views.
_base_ = [
    '../_base_/models/mask-rcnn_r50.py', '../_base_/datasets/coco_inst_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(type='TeacherStudentDetector', detector=_base_.detector, unsup_weight=4.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.9),
    dict(type='CopyPasteHook', mode='labeled_to_unlabeled', prob=0.5),
    _base_.gallery]
