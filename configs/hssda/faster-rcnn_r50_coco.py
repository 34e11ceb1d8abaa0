# HSSDA in 2D for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]
burn_in = 10000
interval = 2000  # iterations between two fits of the thresholds, and checks of mined boxes

model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=_base_.detector,
    burn_in=burn_in)
# The labeled images without augmentation, for the thresholds.
plain_images = dict(
    _base_.labeled_images,
    pipeline=[
        _base_.load,
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale=(1333, 800), keep_ratio=True),
        dict(type='PackDetInputs')])
custom_hooks = [
    dict(
        type='TeacherEMAHook',
        momentum=0.9996,
        schedule='linear',
        start=0.5,
        length=2000,
        begin=burn_in),
    dict(
        type='DualThresholdHook',
        interval=interval,
        max_images=1000,
        criteria=('confidence', 'objectness', 'consistency'),
        second_view=dict(flip=True),
        fallback='mean_of_classes',
        labeled=plain_images),
    dict(type='PseudoBoxMemoryHook', interval=interval),
    dict(type='PatchShuffleHook'),
    dict(type='GalleryHook', interval=_base_.iterations // 36)]
