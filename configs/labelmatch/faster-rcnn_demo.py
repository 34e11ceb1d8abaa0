# LabelMatch's adaptive thresholds on the demo scenes, two-stage detector.
_base_ = '../_base_/demo/two_stage.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=0.7,
        uncertain=1.2,
        images=200,
        interval=10,
        default=0.7)]
