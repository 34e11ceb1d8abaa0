# Fusion of the teacher's views by certainty on the demo scenes. A mirrored digit is no digit, so the
# second view is a second network, which sees the scene upside down, and learns it so.
_base_ = '../_base_/demo/segmentation.py'
model = dict(auxiliary=dict(second=_base_.segmentor), auxiliary_teachers=['second'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='UncertaintyFusionHook', views=('identity', 'rot180'), networks=('second', )),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5)]
