# FCOS: its losses are normalized by counts over all processes, so that two follow one exactly.
_base_ = ['./detection.py']
total_batch = (4, 4)  # two processes with (2, 2), one with (4, 4)
norm = dict(type='GN', num_groups=4)
model = dict(
    burn_in=1, auxiliary=None,
    detector=dict(
        type='FCOS',
        backbone=dict(norm_cfg=norm),
        bbox_head=dict(
            _delete_=True, type='FCOSHead', num_classes=10, in_channels=16, stacked_convs=1,
            feat_channels=16, strides=[8, 16, 32], norm_cfg=norm,
            regress_ranges=((-1, 24), (24, 48), (48, 1e8)),
            loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
            loss_bbox=dict(type='GIoULoss'),
            loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True)),
        train_cfg=None))
train_cfg = dict(max_iters=6, val_interval=6)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9),
    dict(type='FixedThresholdHook', score=0.0001),
    dict(type='EmptyRankHook'),
    dict(type='FaultHook'),
    dict(type='DumpRankHook'),
]
