_base_ = ['./_runtime.py']
default_scope = 'mmseg'
norm = dict(type='BN')
segmentor = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[127.0] * 3, std=[64.0] * 3, size_divisor=16,
        pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='ResNet', depth=18, base_channels=8, num_stages=3, out_indices=(0, 1, 2),
        strides=(1, 2, 1), dilations=(1, 1, 2), norm_cfg=norm, norm_eval=False),
    decode_head=dict(
        type='FCNHead', in_channels=32, in_index=2, channels=8, num_convs=1, concat_input=False,
        dropout_ratio=0.1, num_classes=11, norm_cfg=norm,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, burn_in=2)

load = [dict(type='LoadDigitScene')]
scenes = dict(type='DigitScenesSeg', count=24, labeled=8, image_size=32, objects=(1, 2))
weak = [dict(type='RandomFlip', prob=0.5), dict(type='PackSegInputs')]
strong = [
    dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs')
]
train_dataloader = dict(
    batch_size=4, num_workers=2, persistent_workers=True,
    collate_fn=dict(type='collate_or_fail'),
    sampler=dict(type='LabeledUnlabeledSampler', batch=(2, 2)),
    dataset=dict(
        type='LabeledUnlabeledDataset',
        datasets=[
            dict(**scenes, split='labeled', pipeline=[
                dict(type='WeakStrongViews', shared=load, views=dict(sup=weak))]),
            dict(**scenes, split='unlabeled', pipeline=[
                dict(type='WeakStrongViews', shared=load,
                     views=dict(unsup_teacher=weak, unsup_student=strong))]),
        ]))
val_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='DigitScenesSeg', split='val', count=6, image_size=32, test_mode=True,
        pipeline=[*load, dict(type='PackSegInputs')]))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_dataloader = val_dataloader
test_evaluator = val_evaluator
