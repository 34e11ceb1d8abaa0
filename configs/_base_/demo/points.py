# What the demos with FCOS start from; all else is as in detection.py.
_base_ = [
    '../models/fcos_r18_tiny.py', '../datasets/digits_det.py', '../schedules/demo_det.py'
]
batch = (4, 4)  # labeled and unlabeled scenes per iteration
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=_base_.burn_in)
