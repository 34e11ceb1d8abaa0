# The schedule of the demos for segmentation; the first part trains on labels alone.
iterations = 1000
burn_in = 400
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1.5e-2, weight_decay=0.01),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)
]
