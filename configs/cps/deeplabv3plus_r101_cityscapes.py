# CPS with CutMix for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), two
# DeepLabV3+ with a ResNet-101, crops of 800, hard pixels of the labeled images.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_same_view.py', '../_base_/schedules/cityscapes_seg.py'
]
# 128, 137, 160 and 240 passes, 8 images at a time
iterations = {'1_16': 44544, '1_8': 44525, '1_4': 44640, '1_2': 44640}.get(_base_.split, 44640)
lr = 2.5e-3  # for 8 labeled and 8 unlabeled images per iteration, in all processes together
weight_decay = 8e-4  # README.md says how both follow from the published code
size = (800, 800)

segmentor = _base_.segmentor
segmentor.backbone.multi_grid = (2, 4, 8)
segmentor.data_preprocessor.size = size
segmentor.decode_head.sampler.min_kept = 50000
segmentor.test_cfg = dict(mode='slide', crop_size=size, stride=(533, 533))
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(second=segmentor),
    unsup_weight=5.0,
    **_base_.method)

val_cfg = dict(models=['student'])  # the teacher is its copy
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    optimizer=dict(lr=lr, weight_decay=weight_decay),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0))
