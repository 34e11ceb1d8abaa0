# Dual mean teachers on the demo scenes: what two small segmentors agree on. Pixels alone decide; no
# image is left out as a whole.
_base_ = '../_base_/demo/segmentation.py'
model = dict(auxiliary=dict(second=_base_.segmentor), auxiliary_teachers=['second'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='DualTeacherHook', network='second', score=_base_.score, agreement=0.0),
    dict(type='CutMixHook', prob=0.5)]
