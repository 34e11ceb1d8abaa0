# AugSeg for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-101, crops of 800, hard pixels of the labeled images, every pixel of the others.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_semi.py', '../_base_/schedules/cityscapes_seg.py'
]
size = (800, 800)
crop = dict(type='RandomCrop', crop_size=size)
batch = (4, 4)
total_batch = (16, 16)
iterations = 240 * _base_.one_pass['4x4']

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
other_images.pipeline[0].views.unsup_student = _base_.intensity
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.data_preprocessor.size = size
segmentor.backbone.multi_grid = (2, 4, 8)
segmentor.decode_head.sampler.min_kept = 25000  # for each of four images
segmentor.test_cfg = dict(mode='slide', crop_size=size, stride=(533, 533))
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.996
custom_hooks[1].score = 0.0  # as published

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(optimizer=dict(lr=1e-2, weight_decay=5e-4))
