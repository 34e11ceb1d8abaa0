# Thresholds from a mixture over the latest scores of each class on the demo scenes, for boxes.
_base_ = '../_base_/demo/detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='GMMThresholdHook', num_scores=100, policy='high', default=0.4, count_ratio=1.0)]
