# U2PL for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101 and output stride 8, crops of 513. Views and network are those of FST,
# which is built on U2PL's code.
_base_ = ['./_method.py', '../fst/deeplabv3plus_r101_voc12.py']
iterations = 80 * _base_.one_pass['4x4']
burn_in = _base_.one_pass['4x4']  # a pass over the unlabeled images with the labeled ones alone

model = dict(
    segmentor=_base_.segmentor,
    unsup_weight=1.0,
    burn_in=burn_in,
    auxiliary=dict(representation=_base_.representation),
    **_base_.u2pl)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(
        type='QuantileThresholdHook',
        share=0.2,
        end=0.0,
        length=iterations - burn_in,
        measure='entropy',
        per_class=False),
    _base_.half,
    dict(type='UnreliableContrastHook', length=iterations - burn_in)]

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(auxiliary=dict(lr_mult=_base_.head_lr))))
