# Demo: Faster R-CNN from clear scenes to fog. Labeled scenes get the colors of foggy ones; proposals in
# the strong view are compared with what they are in the weak one (WSCoL).
_base_ = './_domain_boxes.py'
projector = dict(
    type='FeatureProjector',
    in_channels=_base_.detector.roi_head.bbox_head.fc_out_channels,
    hidden=64,
    channels=32)
model = dict(auxiliary=dict(projector=projector), auxiliary_teachers=['projector'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='StyleSwapHook', kind='statistics'),
    dict(type='RoIContrastHook')]
