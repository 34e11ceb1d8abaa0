# Dual Teacher on the demo scenes: a new teacher every 75 iterations, CutMix and ClassMix in turns, and a
# second strong view that is not mixed. ClassMix pastes annotated digits: with pasted pseudo labels alone the
# thin strokes were unlearned (9.9 points of mean IoU below the baseline).
_base_ = '../_base_/demo/segmentation_two_views.py'

model = dict(reduction='image', predict_with='student')
custom_hooks = [
    dict(type='TemporaryTeachersHook', period=75, momentum=0.99, view='unsup_student_2', share=0.2),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=1.0, skip=['unsup_student_2']),
    dict(type='ClassMixHook', source='labeled', prob=1.0, skip=['unsup_student_2'])]
