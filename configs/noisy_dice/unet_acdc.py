# Noise-weighted Dice for slices of ACDC: labels of earlier teachers are stored on disk, and the
# current teacher weights them.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/schedules/acdc_seg.py'
]
burn_in = 6000

# A weight of 0: the weighted loss alone.
model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, unsup_weight=0.0, burn_in=burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99),
    dict(
        type='PseudoLabelDiskHook',
        root=_base_.data_root,
        use=True,
        score=0.9,
        update=0.99),
    dict(type='NoisyDiceHook', weight=1.0, ramp_length=8000, per_class=True),
    _base_.gallery]
