# After Polite Teacher on the demo scenes: a small Mask Scoring R-CNN.
_base_ = [
    '../_base_/models/ms-rcnn_r18_tiny.py', '../_base_/datasets/digits_inst.py',
    '../_base_/schedules/demo_det.py'
]
batch = (4, 4)  # labeled and unlabeled scenes per iteration
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=_base_.burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='MaskScoreHook', mask=0.5)]
