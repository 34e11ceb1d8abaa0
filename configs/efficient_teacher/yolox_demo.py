# Efficient Teacher on the demo scenes: a small YOLOX.
_base_ = [
    '../_base_/models/yolox_r18_tiny.py', '../_base_/datasets/digits_det.py',
    '../_base_/schedules/demo_det.py'
]
batch = (4, 4)  # labeled and unlabeled scenes per iteration
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=_base_.burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='PseudoLabelAssignerHook', low=0.1, high=0.6)]
