# PseCo on the demo scenes. The pyramid begins at stride 8, and at 4 for half the size.
_base_ = '../_base_/demo/two_stage.py'

detector = _base_.detector
detector.backbone.out_indices = (0, 1, 2)
detector.neck.update(type='ShiftedFPN', in_channels=[16, 32, 64], num_outs=3)
model = dict(detector=detector)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='FixedThresholdHook', score=0.6),
    dict(type='PredictionGuidedAssignHook'),
    dict(type='ConsistencyVotingHook'),
    dict(type='HalfViewHook')]
