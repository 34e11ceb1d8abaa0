# Demo of a federated training: a place with unlabeled scenes alone, and its own average as teacher.
_base_ = '../_base_/demo/segmentation.py'

phase = 'selective'  # the backbone learns; 'full': everything, near orthogonal
domain = 'clear'  # 'fog', 'noise' and 'checks', too
batch = (8,)
draw = dict(type='LoadDigitScene', domain=domain)
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].shared = [draw]
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(labeled=0, datasets=[unlabeled_scenes]))
model = dict(burn_in=0)
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
phases = dict(
    selective=[
        dict(
            type='SelectiveTrainingHook',
            phases=[(_base_.iterations, 'backbone')])
    ],
    full=[dict(type='OrthogonalityHook')])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook'),
    *phases[phase]]
