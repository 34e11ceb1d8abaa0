# MixPL for RetinaNet on your own data; see configs/_base_/datasets/own_det.py for what to set. The
# pieces of a mosaic are of a third to two thirds of an image. Numbers are our defaults, not tuned.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py', '../_base_/datasets/own_det_unerased.py',
    '../_base_/schedules/own_det.py'
]
momentum = 0.999  # of the teacher

detector = _base_.model
detector.bbox_head.num_classes = len(_base_.classes)
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=1.0,
    empty_weight=0.0,
    burn_in=_base_.iterations // 4)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean', gamma=4),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='EraseHook', count=(1, 19), size=(0.0, 0.1), hidden=0.7),
    dict(type='PseudoMosaicHook', size=[side * _base_.image_scale[1] // 6 for side in (2, 4)], weight=0.5),
    dict(type='PseudoMixupHook', share=0.5),
    dict(type='GalleryHook', interval=max(_base_.iterations // 8, 1))]
