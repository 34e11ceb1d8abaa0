# Soft Mean Teacher for Cityscapes.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_semi.py', '../_base_/schedules/cityscapes_seg.py'
]
ramp_length = _base_.iterations // 10

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    burn_in=ramp_length,
    **_base_.method)
custom_hooks = _base_.custom_hooks
custom_hooks[1].ramp_length = ramp_length
