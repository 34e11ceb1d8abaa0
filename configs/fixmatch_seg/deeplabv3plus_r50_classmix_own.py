# FixMatch with ClassMix for DeepLabV3+ on your own data: half of the classes of a labeled image are
# pasted into each strong view; see configs/_base_/datasets/own_seg.py for what to set. Numbers are
# our defaults, not tuned.
_base_ = [
    'mmseg::_base_/models/deeplabv3plus_r50-d8.py', '../_base_/datasets/own_seg.py',
    '../_base_/schedules/own_seg.py'
]
momentum = 0.996  # of the teacher

segmentor = _base_.model
segmentor.data_preprocessor.size = _base_.crop_size
data_preprocessor = segmentor.data_preprocessor  # the runner looks here first
segmentor.decode_head.num_classes = len(_base_.classes)
segmentor.auxiliary_head.num_classes = len(_base_.classes)
model = dict(
    _delete_=True,
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    burn_in=_base_.iterations // 10)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='GalleryHook', interval=max(_base_.iterations // 8, 1))]
