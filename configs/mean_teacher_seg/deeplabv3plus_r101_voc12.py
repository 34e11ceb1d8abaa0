# Soft Mean Teacher for VOC 2012.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
ramp_length = _base_.iterations // 10

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    burn_in=ramp_length,
    **_base_.method)
custom_hooks = _base_.custom_hooks
custom_hooks[1].ramp_length = ramp_length
