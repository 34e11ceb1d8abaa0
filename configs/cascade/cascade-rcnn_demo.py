# A small Cascade R-CNN on the demo scenes, its stages judging the pseudo boxes.
_base_ = [
    '../_base_/models/cascade-rcnn_r18_tiny.py', '../_base_/datasets/digits_det.py',
    '../_base_/schedules/demo_det.py'
]

model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=_base_.burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5, cls=0.7, rpn=0.7),
    dict(type='StageAgreementHook', threshold=0.7),
    dict(type='BackgroundScoreHook')]
