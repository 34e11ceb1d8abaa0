# CPS with CutMix on the demo scenes: two small networks of one size teach each other.
_base_ = '../_base_/demo/segmentation.py'
model = dict(auxiliary=dict(second=_base_.segmentor), predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='CrossSupervisionHook', network='second'),
    dict(type='CutMixHook', prob=0.5)]
