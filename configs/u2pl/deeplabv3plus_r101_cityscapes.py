# U2PL for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-101, an auxiliary head and output stride 8, crops of 769, one rate for all layers.
_base_ = ['./_method.py', '../fst/deeplabv3plus_r101_cityscapes.py']
iterations = 200 * _base_.one_pass['8x2']

model = dict(
    segmentor=_base_.segmentor, auxiliary=dict(representation=_base_.representation), **_base_.u2pl)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(
        type='QuantileThresholdHook', share=0.2, end=0.0, length=iterations, measure='entropy',
        per_class=False),
    _base_.half,
    dict(type='UnreliableContrastHook', length=iterations, ranks=(3, 19))]

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=1.0))))
