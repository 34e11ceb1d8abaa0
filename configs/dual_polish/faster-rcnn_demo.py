# Dual pseudo-label polishing on the demo scenes.
_base_ = '../_base_/demo/two_stage.py'
small = dict(in_channels=32, roi_size=5, hidden=128)
model = dict(
    auxiliary=dict(
        box_polisher=dict(type='BoxPolisher', channels=32, **small),
        cls_polisher=dict(
            type='ClassPolisher', num_classes=_base_.num_classes, **small)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='PolishHook', budget=96),
    dict(type='BackgroundScoreHook')]
