# FST, deep with three virtual steps, for Cityscapes (1/16 unless told otherwise: --cfg-options
# split=1_8), DeepLabV3+ with a ResNet-101, an auxiliary head and output stride 8, crops of 769. A
# step costs four passes.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_same_view.py', '../_base_/schedules/cityscapes_seg.py'
]
size = (769, 769)
# Smaller or larger, equally often.
resize = dict(
    type='RandomChoice',
    transforms=[
        [dict(type='RandomResize', scale=(2048, 1024), ratio_range=factors, keep_ratio=True)]
        for factors in ((0.5, 1.0), (1.0, 2.0))])
crop = dict(type='RandomCrop', crop_size=size)
iterations = 80 * _base_.one_pass['8x2']
total_batch = (16, 16)
lr = 1e-2

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[2:4] = [resize, crop]
other_images = _base_.other_images
other_images.pipeline[0].shared[1:3] = [resize, crop]
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.data_preprocessor.size = size
segmentor.backbone.strides = (1, 2, 1, 1)
segmentor.backbone.dilations = (1, 1, 2, 4)
segmentor.backbone.multi_grid = (4, 8, 16)
segmentor.decode_head.update(join=3, dilations=(1, 12, 24, 36), c1_channels=256, dropout_ratio=0.1)
segmentor.decode_head.sampler.min_kept = 50000  # for each of two images
segmentor.auxiliary_head = dict(
    type='FCNHead',
    in_channels=1024,
    in_index=2,
    channels=256,
    num_convs=1,
    concat_input=False,
    dropout_ratio=0.1,
    num_classes=19,
    norm_cfg=_base_.norm,
    align_corners=True,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4))
segmentor.test_cfg = dict(mode='slide', crop_size=size, stride=(513, 513))
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)
# Every pixel is trained on.
custom_hooks = [*_base_.custom_hooks, dict(type='FixedThresholdHook', score=0.0)]

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
# As on VOC; U2PL, whose code it is, has one rate for all layers of Cityscapes.
optim_wrapper = dict(
    optimizer=dict(lr=lr, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=_base_.head_lr))))
