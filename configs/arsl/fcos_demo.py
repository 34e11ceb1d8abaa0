# ARSL on the demo scenes, a detector without anchors. It is longer than the other demos: this head learns
# slowly, and after 400 iterations a teacher misleads more than it helps.
_base_ = '../_base_/demo/points.py'
iterations = 1600
burn_in = 800
train_cfg = dict(max_iters=iterations, val_interval=iterations)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=0)]
model = dict(
    detector=dict(bbox_head=dict(type='JointConfidenceFCOSHead')),
    unsup_ramp=dict(length=100, kind='linear'),
    burn_in=burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995), dict(type='TaskSeparationHook', min_sum=1.0)]
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline = [_base_.same_geometry]
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
