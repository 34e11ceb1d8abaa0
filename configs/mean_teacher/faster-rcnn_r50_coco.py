# Mean Teacher for Faster R-CNN on 10 % of COCO: MMDetection's `SemiBaseDetector` recipe.
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=_base_.detector,
    unsup_weight=1.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.9),
    dict(type='GalleryHook', interval=_base_.iterations // 36)]
