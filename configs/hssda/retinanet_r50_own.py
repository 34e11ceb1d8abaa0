# Two thresholds for each class, fitted to what the teacher finds rightly on the labeled images, for
# RetinaNet on your own data; see configs/_base_/datasets/own_det.py for what to set. Numbers are our
# defaults, not tuned.
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
# The labeled images without augmentation, for the thresholds.
plain_images = dict(
    pipeline=[
        dict(type='LoadImageFromFile'),
        _base_.load_labels,
        dict(type='Resize', scale=_base_.image_scale, keep_ratio=True),
        dict(type='PackDetInputs')],
    **_base_.labeled_source)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean'),
    dict(
        type='DualThresholdHook',
        interval=max(_base_.iterations // 24, 1),
        max_images=200,
        defaults=dict(confidence=(0.9, 0.5), objectness=(0.9, 0.3)),
        min_samples=10,
        fallback='global_pool',
        labeled=plain_images),
    dict(type='GalleryHook', interval=max(_base_.iterations // 8, 1))]
