# Labels alone, in seconds: for the tests of `ssdet quickstart`.
_base_ = ['../../../configs/_base_/default_runtime.py']
default_scope = 'mmseg'
iterations = 6
norm = dict(type='BN')
segmentor = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[127.0] * 3, std=[64.0] * 3, size_divisor=16,
        pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='ResNet', depth=18, base_channels=4, num_stages=2, out_indices=(0, 1),
        strides=(1, 2), dilations=(1, 1), norm_cfg=norm, norm_eval=False),
    decode_head=dict(
        type='FCNHead', in_channels=8, in_index=1, channels=8, num_convs=1, concat_input=False,
        num_classes=11, norm_cfg=norm, loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
model = segmentor

load = [dict(type='LoadDigitScene')]
pack = [dict(type='PackSegInputs')]
scenes = dict(type='DigitScenesSeg', count=24, labeled=8, image_size=32, objects=(1, 2))
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(**scenes, split='labeled', pipeline=load + pack))
val_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='DigitScenesSeg', split='val', count=4, image_size=32, test_mode=True,
        pipeline=load + pack))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_dataloader = val_dataloader
test_evaluator = val_evaluator
default_hooks = dict(
    logger=dict(interval=1), metrics=dict(interval=1), checkpoint=dict(interval=2))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations // 2)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
