# MC-Net+ on slices of ACDC (256x256, four classes): a UNet with three decoders that upsample in other
# ways, 30,000 iterations at a constant learning rate.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/schedules/acdc_seg.py'
]
dice = dict(type='ClassDiceLoss', loss_weight=1.0)
segmentor = _base_.segmentor
segmentor.decode_head.loss_decode = dice
decoder = dict(
    type='UNetDecoderHead',
    in_channels=[16, 32, 64, 128, 256],
    num_classes=_base_.num_classes,
    dropout_ratio=0.0,
    norm_cfg=_base_.norm,
    align_corners=False,
    loss_decode=dice)
transposed = dict(type='DeconvModule', kernel_size=2)
nearest = dict(type='InterpConv', upsample_cfg=dict(scale_factor=2, mode='nearest'))

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(
        second=dict(upsample_cfg=transposed, **decoder),
        third=dict(upsample_cfg=nearest, **decoder)),
    unsup_weight=0.0,  # no pseudo labels
    predict_with='student',
    joint_pass=True)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(
        type='MutualDecodersHook',
        heads=['second', 'third'],
        layers=[f'backbone.encoder.{level}' for level in range(5)],
        weight=0.1,
        ramp_length=_base_.iterations)]

val_cfg = dict(models=['student'])  # the teacher is its copy
train_cfg = dict(val_interval=max(_base_.iterations // 40, 1))
param_scheduler = []
default_hooks = dict(checkpoint=dict(interval=max(_base_.iterations // 40, 1)))
