# Parts of four methods for Faster R-CNN on your own data: a threshold for each class from a mixture of
# its scores, boxes that return to their place, copy-paste, patch shuffle; see
# configs/_base_/datasets/own_det.py for what to set. The hooks' numbers are those of the demo,
# the others our defaults, not tuned.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py', '../_base_/datasets/own_det.py',
    '../_base_/schedules/own_det.py'
]
momentum = 0.999  # of the teacher

detector = _base_.model
detector.roi_head.bbox_head.num_classes = len(_base_.classes)
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=1.0,
    burn_in=_base_.iterations // 4)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean'),
    dict(type='GMMThresholdHook', default=0.5, floor=0.3),
    dict(type='BoxJitterHook', times=10, scale=0.06, max_spread=0.05),
    dict(type='CopyPasteHook', prob=0.5),
    dict(type='PatchShuffleHook', prob=0.5),
    dict(type='GalleryHook', interval=max(_base_.iterations // 8, 1))]
