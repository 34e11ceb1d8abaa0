# Unbiased Teacher on the demo scenes, two-stage detector.
_base_ = '../_base_/demo/two_stage.py'
model = dict(detector=dict(roi_head=dict(bbox_head=dict(
    loss_cls=dict(_delete_=True, type='SoftmaxFocalLoss', gamma=1.5)))))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='TaskWeightHook', box=0.0)]
