# RAIL in 2D on slices of ACDC: two groups of a U-Net and a DeepLabV3+ with a ResNet-18, which take
# turns. Warm-up, then a flat learning rate until half of the training, then a cosine. The code counts
# the iterations of each group, so all lengths are twice as long here.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/default_runtime.py'
]
default_scope = 'mmseg'
iterations = 2 * 8000
warm_up = 2 * 1000
period = 390  # iterations of a turn: two passes over the labeled crops (13 scans, 15 crops of each)

segmentor = _base_.segmentor
segmentor.decode_head.loss_decode = [  # their sum, to which RAIL adds its own
    dict(type='CrossEntropyLoss', avg_non_ignore=True),
    dict(type='ClassDiceLoss')]
other = dict(
    type='EncoderDecoder',
    data_preprocessor=segmentor.data_preprocessor,
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        contract_dilation=True,
        norm_cfg=_base_.norm,
        norm_eval=False),
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        in_channels=512,
        in_index=3,
        channels=128,
        dilations=(1, 6, 12, 18),
        c1_in_channels=64,
        c1_channels=24,
        dropout_ratio=0.1,
        num_classes=_base_.num_classes,
        norm_cfg=_base_.norm,
        align_corners=False,
        loss_decode=segmentor.decode_head.loss_decode),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(second=other, third=segmentor, fourth=other),
    auxiliary_teachers=['third'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='RegionInstructionHook', groups=(('student', 'second'), ('third', 'fourth')),
         period=period, temperature=0.1, region=0.5, error=0.05, flatten=0.1,
         consistency=20.0, teacher=10.0, ramp_length=2 * 3000)]

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=4e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warm_up),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=iterations // 2,
        end=iterations,
        eta_min=1e-5)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 40, 1)))
