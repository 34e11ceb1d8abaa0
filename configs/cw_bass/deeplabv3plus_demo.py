# CW-BASS on the demo scenes, with annotated digits that are pasted into the strong views.
_base_ = '../_base_/demo/segmentation.py'
model = dict(reduction='kept', unsup_ramp=dict(length=50, kind='linear'))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean', buffers='copy'),
    dict(type='MeanConfidenceThresholdHook', base=0.6, beta=0.5, bounds=(0.3, 0.8)),
    dict(type='ConfidenceWeightHook', gamma=1.0),
    dict(type='BoundaryLossHook', weight=0.5),
    dict(type='ClassMixHook', source='labeled')]
