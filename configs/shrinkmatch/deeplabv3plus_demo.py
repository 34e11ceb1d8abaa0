# ShrinkMatch per pixel on the demo scenes (three classes, of which one can be removed).
_base_ = ['../_base_/demo/segmentation.py']
model = dict(
    auxiliary=dict(
        shrink=dict(
            type='FCNHead',
            in_channels=64,
            in_index=2,
            channels=16,
            num_convs=2,
            kernel_size=1,
            concat_input=False,
            dropout_ratio=0,
            num_classes=_base_.num_classes,
            norm_cfg=_base_.norm,
            align_corners=False)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.6),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ShrinkMatchHook', threshold=0.6)]
