# Bidirectional copy-paste carried over to VOC 2012, with a threshold.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    burn_in=_base_.iterations // 10)
custom_hooks = _base_.custom_hooks
custom_hooks.insert(1, dict(type='FixedThresholdHook', score=0.95))
