# Guided distillation on the demo scenes, in one run: the burn-in makes the teacher, and a new student learns
# from it.
_base_ = [
    '../_base_/models/mask2former_r18_tiny.py', '../_base_/datasets/digits_inst.py',
    '../_base_/schedules/demo_det.py'
]
batch = (4, 4)  # labeled and unlabeled scenes per iteration
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    burn_in=_base_.burn_in,
    unsup_weight=2.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='GuidedBurnInHook', length=300),
    dict(type='QueryMaskLabelHook', min_pixels=5.0),
    dict(type='FixedThresholdHook', score=0.7)]
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=0.1))
