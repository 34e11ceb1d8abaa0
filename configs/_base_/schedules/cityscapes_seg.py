# Cityscapes segmentation: 240 passes over the unlabeled images with SGD and a polynomial decay;
# includes default_runtime.py through voc_seg.py.
_base_ = './voc_seg.py'
iterations = 84000  # 240 passes over 2,789 images (split 1_16), 8 at a time
lr = 0.005  # for 8 labeled and 8 unlabeled images per iteration, in all processes together

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    optimizer=dict(lr=lr), paramwise_cfg=dict(_delete_=True, custom_keys=dict()))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 40, 1)))
