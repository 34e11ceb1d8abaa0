# PrevMatch for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-101, crops of 801, two processes with 4 + 4 images, every pixel of both teachers.
_base_ = ['./_method.py', '../unimatch/deeplabv3plus_r101_cityscapes.py']
batch = (4, 4)
iterations = 240 * _base_.one_pass['2x4']
previous = _base_.previous
previous.score = 0.0  # as published

train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
# 200,000 hard pixels of the four images of a process
model = dict(segmentor=dict(decode_head=dict(sampler=dict(min_kept=50000))))
custom_hooks = [
    *_base_.custom_hooks,
    dict(interval=6 * _base_.one_pass['2x4'], length=iterations, **previous)]
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
