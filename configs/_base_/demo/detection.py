# What the demo of every method for one-stage detectors starts from: a small GFL, 20 labeled and
# 580 unlabeled scenes of digits, a schedule of minutes on a CPU. A demo adds its hooks.
_base_ = [
    '../models/gfl_r18_tiny.py', '../datasets/digits_det.py', '../schedules/demo_det.py'
]
batch = (4, 4)  # labeled and unlabeled scenes per iteration
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=_base_.burn_in)
