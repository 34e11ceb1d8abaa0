# PrevMatch for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101, crops of 321, one process with 8 + 8 images.
_base_ = ['./_method.py', '../unimatch/deeplabv3plus_r101_voc12.py']
batch = (8, 8)
iterations = 80 * _base_.one_pass['1x8']

train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
custom_hooks = [
    *_base_.custom_hooks,
    dict(interval=2 * _base_.one_pass['1x8'], length=iterations, **_base_.previous)]
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
