# First round of self-training on 10 % of COCO: Mean Teacher, whose confident boxes are stored on disk. It
# ends with pseudo/coco.json in the work folder, which the second round reads.
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    unsup_weight=1.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(
        type='PseudoLabelDiskHook',
        root=f'{_base_.data_root}train2017',
        score=0.9,
        update=0.99,
        start=_base_.iterations // 2),
    dict(type='FixedThresholdHook', score=0.9)]
