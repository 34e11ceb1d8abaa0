# Label efficiency from a realistic start: cell nuclei (DSB2018), DeepLabV3+ with an ImageNet backbone.
# Train it with `--labels 1_4`: a quarter of the images has each stain three times or more.
_base_ = './deeplabv3plus_r18_dsb2018.py'
iterations = 500
burn_in = 800  # before them, the same for all
score = 0.95  # of every method that has a single threshold; of two classes none is below 0.5
lr = 3e-3
precision = 'OptimWrapper'  # float32

segmentor = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        output_stride=16,
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='package://efficientnet-lite0')),
    decode_head=dict(in_channels=320, in_index=3, c1_in_channels=24))
model = dict(segmentor=segmentor, burn_in=burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.98, schedule='mean'),
    dict(type='FixedThresholdHook', score=score),
    dict(type='CutMixHook', prob=0.5)]
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 2, 1))
optim_wrapper = dict(
    type=precision,
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3))))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=lr * 0.05)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 2, 1)))
