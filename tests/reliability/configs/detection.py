_base_ = ['./_runtime.py']
norm = dict(type='GN', num_groups=4)
detector = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[127.0] * 3, std=[64.0] * 3, pad_size_divisor=32),
    backbone=dict(
        type='ResNet', depth=18, base_channels=8, num_stages=4, out_indices=(1, 2, 3),
        norm_cfg=dict(type='BN'), norm_eval=False),
    neck=dict(type='FPN', in_channels=[16, 32, 64], out_channels=16, num_outs=3, norm_cfg=norm),
    bbox_head=dict(
        type='RetinaHead', num_classes=10, in_channels=16, stacked_convs=1, feat_channels=16,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=2, scales_per_octave=1, ratios=[1.0],
            strides=[8, 16, 32]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
        loss_bbox=dict(type='L1Loss')),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
        sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(
        nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=5))
model = dict(
    type='TeacherStudentDetector', detector=detector, burn_in=2,
    auxiliary=dict(head=dict(type='FPN', in_channels=[4], out_channels=4, num_outs=1)))

branches = ['sup', 'unsup_teacher', 'unsup_student']
load = [dict(type='LoadDigitScene'), dict(type='LoadAnnotations', with_bbox=True)]
scenes = dict(type='DigitScenes', count=24, labeled=8, image_size=64, objects=(1, 3))
weak = [dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]
strong = [
    dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion'),
    dict(type='PackDetInputs')
]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    collate_fn=dict(type='collate_or_fail'),
    sampler=dict(type='LabeledUnlabeledSampler', batch=(2, 2)),
    dataset=dict(
        type='LabeledUnlabeledDataset',
        datasets=[
            dict(**scenes, split='labeled', pipeline=[
                dict(type='WeakStrongViews', shared=load, views=dict(sup=weak))]),
            dict(**scenes, split='unlabeled', pipeline=[
                dict(type='WeakStrongViews', shared=load[:1],
                     views=dict(unsup_teacher=weak, unsup_student=strong))]),
        ]))
val_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='DigitScenes', split='val', count=6, image_size=64, test_mode=True,
        pipeline=[*load, dict(type='Resize', scale=(64, 64)), dict(type='PackDetInputs')]))
val_evaluator = dict(type='VOCMetric', metric='mAP', eval_mode='area')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
