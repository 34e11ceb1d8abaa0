# Thresholds from a mixture over the latest scores of each class on the demo scenes, for pixels.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='GMMThresholdHook', num_scores=100, policy='middle', default=_base_.score),
    dict(type='CutMixHook', prob=0.5)]
