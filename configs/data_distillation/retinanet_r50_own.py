# Data distillation for RetinaNet on your own data: the teacher sees each image and its mirror image, and keeps
# as many boxes of each class as the labels promise. See configs/_base_/datasets/own_det.py for what to set.
# Numbers are our defaults, not tuned. Where a mirrored object is another one (text), take views=('identity', )
# and scales=(0.8, ).
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py', '../_base_/datasets/own_det.py',
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
    burn_in=_base_.iterations // 4)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean'),
    dict(type='BoxFusionHook', views=('identity', 'hflip')),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=1.0,
        uncertain=1.5,
        images=500,
        default=0.5),
    dict(type='GalleryHook', interval=max(_base_.iterations // 8, 1))]
