# The schedule of the demos for segmentation: that of detection with another rate and decay.
_base_ = './demo_det.py'
default_scope = 'mmseg'
optim_wrapper = dict(optimizer=dict(lr=1.5e-2, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', by_epoch=False, begin=0, end=_base_.iterations, power=0.9, eta_min=0)
]
