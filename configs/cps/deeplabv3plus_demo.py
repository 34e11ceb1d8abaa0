# CPS on the demo scenes: two small networks of one size teach each other. Annotated digits are pasted
# into what both learn: without a threshold most of what they teach is background.
_base_ = '../_base_/demo/segmentation.py'
model = dict(auxiliary=dict(second=_base_.segmentor), predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='CrossSupervisionHook', network='second'),
    dict(type='ClassMixHook', source='labeled')]
