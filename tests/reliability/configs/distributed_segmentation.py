_base_ = ['./segmentation.py']
total_batch = (4, 4)  # two processes with (2, 2), one with (4, 4)
norm = dict(type='GN', num_groups=4)
model = dict(
    burn_in=1,
    segmentor=dict(
        backbone=dict(norm_cfg=norm), decode_head=dict(norm_cfg=norm, dropout_ratio=0.0)))
train_dataloader = dict(num_workers=0, persistent_workers=False)
train_cfg = dict(max_iters=6, val_interval=6)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9),
    dict(type='FixedThresholdHook', score=0.05),
    dict(type='FaultHook'),
    dict(type='DumpRankHook'),
]
