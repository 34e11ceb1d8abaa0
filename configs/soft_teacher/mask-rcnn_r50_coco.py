# Soft Teacher for Mask R-CNN on 10 % of COCO: pseudo masks are learned where pseudo boxes are.
_base_ = [
    '../_base_/models/mask-rcnn_r50.py', '../_base_/datasets/coco_inst_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=_base_.detector,
    unsup_weight=4.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5, cls=0.9, rpn=0.9),
    dict(type='BoxJitterHook', times=10, scale=0.06, max_spread=0.02),
    dict(type='BackgroundScoreHook'),
    dict(type='GalleryHook', interval=_base_.iterations // 36)]
