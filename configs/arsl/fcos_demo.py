# ARSL on the demo scenes, a detector without anchors.
_base_ = '../_base_/demo/points.py'
model = dict(
    detector=dict(bbox_head=dict(type='JointConfidenceFCOSHead')),
    unsup_ramp=dict(length=100, kind='linear'))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995), dict(type='TaskSeparationHook', min_sum=1.0)]
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline = [_base_.same_geometry]
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
