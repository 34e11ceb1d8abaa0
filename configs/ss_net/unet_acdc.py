# SS-Net on slices of ACDC (256x256, four classes): smoothness under the worst noise and compact
# classes, 30,000 iterations at a constant learning rate.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/schedules/acdc_seg.py'
]
segmentor = _base_.segmentor
segmentor.decode_head.loss_decode = dict(type='ClassDiceLoss', loss_weight=1.0)
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(
        compactness=dict(
            type='CompactnessHead', in_channels=16, num_classes=_base_.num_classes)),
    unsup_weight=0.0,  # no pseudo labels
    predict_with='student',
    joint_pass=True)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='AdversarialSmoothnessHook', weight=0.1, ramp_length=_base_.iterations),
    dict(type='ClassCompactnessHook', weight=0.01, rows=32, ramp_length=_base_.iterations)]

val_cfg = dict(models=['student'])  # the teacher is its copy
train_cfg = dict(val_interval=max(_base_.iterations // 40, 1))
param_scheduler = []
default_hooks = dict(checkpoint=dict(interval=max(_base_.iterations // 40, 1)))
