# Copy-paste for Mask R-CNN on your own data: objects that are labeled with an outline are pasted into
# the strong views; see configs/_base_/datasets/own_det.py for what to set. Numbers are our defaults,
# not tuned.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py', '../_base_/datasets/own_inst.py',
    '../_base_/schedules/own_det.py'
]
momentum = 0.999  # of the teacher

detector = _base_.model
detector.roi_head.bbox_head.num_classes = len(_base_.classes)
detector.roi_head.mask_head.num_classes = len(_base_.classes)
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=1.0,
    burn_in=_base_.iterations // 4)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='CopyPasteHook', mode='labeled_to_unlabeled', prob=0.5),
    dict(type='GalleryHook', interval=max(_base_.iterations // 8, 1))]
