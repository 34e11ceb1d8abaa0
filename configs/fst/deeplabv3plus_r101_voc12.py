# FST, deep with three virtual steps, for VOC 2012 (classic protocol, 1/16 unless told otherwise; the
# paper's: --cfg-options protocol=blender), DeepLabV3+ with a ResNet-101 and output stride 8, crops
# of 513. A step costs four passes.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py',
    '../_base_/datasets/voc12_same_view.py', '../_base_/schedules/voc_seg.py'
]
size = (513, 513)
# Smaller or larger, equally often.
resize = dict(
    type='RandomChoice',
    transforms=[
        [dict(type='RandomResize', scale=(500, 500), ratio_range=factors, keep_ratio=True)]
        for factors in ((0.5, 1.0), (1.0, 2.0))])
crop = dict(type='RandomCrop', crop_size=size)
iterations = 40 * _base_.one_pass['4x4']
total_batch = (16, 16)
lr = 1e-3

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
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    unsup_weight=1 / 0.8,  # the code divides the mean of the kept pixels by their share once more
    **_base_.method)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='QuantileThresholdHook', share=0.2, measure='entropy', per_class=False),
    dict(type='CutMixHook', prob=0.5, area=(0.5, 0.5), aspect=(0.5, 2.0))]

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(optimizer=dict(lr=lr))
