# Equivariance under elastic and affine deformations for slices of ACDC, on labeled and unlabeled
# ones, without pseudo labels.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/schedules/acdc_seg.py'
]
burn_in = 6000

# A weight of 0: no hard pseudo labels.
model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, unsup_weight=0.0, burn_in=burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99),
    dict(type='EquivarianceHook', weight=1.0, ramp_length=8000, labeled=True),
    _base_.gallery]
