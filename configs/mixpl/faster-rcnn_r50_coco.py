# MixPL for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi_unerased.py',
    '../_base_/schedules/flat_180k.py'
]

model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=_base_.detector,
    unsup_weight=2.0,
    empty_weight=0.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9998, schedule='mean', gamma=4),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='EraseHook', count=(1, 19), size=(0.0, 0.1), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(400, 800), weight=0.5),
    dict(type='PseudoMixupHook', share=0.5),
    dict(type='GalleryHook', interval=_base_.iterations // 45)]
