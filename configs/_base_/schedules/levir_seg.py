# Change detection on LEVIR-CD: 80 passes over the unlabeled tiles with SGD and a polynomial decay;
# includes default_runtime.py through voc_seg.py.
_base_ = './voc_seg.py'
iterations = 67640  # 80 passes over 6,764 tiles (5 % of 7,120 are labeled), 8 at a time
lr = 0.02  # for 8 labeled and 8 unlabeled pairs per iteration, in all processes together
head_lr = 1.0

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=head_lr))))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 40, 1)))
