# Efficient Teacher on the demo scenes: a small RTMDet, which has no objectness. It is longer than the other
# demos: for 500 iterations or more, depending on the seed, this detector tells no classes apart.
_base_ = ['../_base_/models/rtmdet_r18_tiny.py', './_scenes.py']
iterations = 2000
burn_in = 1200
train_cfg = dict(max_iters=iterations, val_interval=iterations)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=0)]
model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    **{**_base_.method, 'burn_in': burn_in})
