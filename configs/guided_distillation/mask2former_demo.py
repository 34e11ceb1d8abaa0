# Guided distillation on the demo scenes, in one run: the burn-in makes the teacher, and a new student learns
# from it. A small Mask2Former remembers 20 scenes, so there are 100 with labels; and it is longer than other
# demos, since the student starts anew.
_base_ = [
    '../_base_/models/mask2former_r18_tiny.py', '../_base_/datasets/digits_inst.py',
    '../_base_/schedules/demo_det_long.py'
]
burn_in = 700
batch = (4, 4)  # labeled and unlabeled scenes per iteration
labeled = 100
labeled_scenes = {**_base_.labeled_scenes, 'labeled': labeled}
unlabeled_scenes = {**_base_.unlabeled_scenes, 'labeled': labeled}
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    burn_in=burn_in,
    unsup_weight=2.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='GuidedBurnInHook', length=600),
    dict(type='QueryMaskLabelHook', min_pixels=5.0),
    dict(type='FixedThresholdHook', score=0.7)]
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=0.1))
