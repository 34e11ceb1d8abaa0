# Efficient Teacher on the demo scenes, whatever the detector.
_base_ = '../_base_/datasets/digits_det.py'
batch = (4, 4)  # labeled and unlabeled scenes per iteration
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
method = dict(
    type='TeacherStudentDetector',
    auxiliary=dict(domains=dict(type='DomainClassifier', in_channels=(32, 32))))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='AdaptiveAssignerHook', low=0.1, high=0.6),
    dict(type='DomainAlignmentHook', weight=0.01)]
