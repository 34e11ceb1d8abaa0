# Demo: FST for adaptation. Two virtual steps of the student before each real one, from clear scenes
# to fog; annotated digits are pasted into foggy scenes, as in DACS, whose recipe FST extends.
_base_ = './deeplabv3plus_demo.py'

segmentor = _base_.segmentor
segmentor.backbone.norm_cfg = _base_.norm
model = dict(segmentor=segmentor)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='FutureTeacherHook', steps=2, kind='deep')]
