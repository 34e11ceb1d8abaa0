# FixMatch for VOC 2012 with the labels of a vision-language model on the side, as SemiVL uses them
# (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-101, crops of 321. The maps lie in the folder `second` as the images lie in JPEGImages: the
# numbers of VOC's classes, 255 where the model was not sure.
_base_ = '../fixmatch_seg/deeplabv3plus_r101_voc12.py'
second = 'data/VOCdevkit/VOC2012/second'

model = dict(
    joint_pass=False,  # the second projection reads single passes
    auxiliary=dict(second=dict(type='ProjectionHead', in_channels=256, num_classes=21)))
custom_hooks = [*_base_.custom_hooks, dict(type='ExternalLabelsHook', start=0.1, end=0.0)]

# 'head' is the decode head; the second projection learns as fast.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(auxiliary=dict(lr_mult=_base_.head_lr))))

load_second = dict(
    type='LoadExternalLabels',
    folder=second,
    root=f'{_base_.data_root}JPEGImages',
    num_classes=21)
pack = dict(type='PackExternalLabels')
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared.insert(1, load_second)
labeled_images.pipeline[0].views.sup[-1] = pack
other_images = _base_.other_images
other_images.pipeline[0].shared.insert(1, load_second)
other_images.pipeline[0].views.unsup_teacher[-1] = pack
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))
