# MGD for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-18 between a wide ResNet-34 and a ResNet-101, crops of 800.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_same_view.py', '../_base_/schedules/cityscapes_seg.py'
]
# 128, 137 (published), 160 and 240 passes, 16 images at a time
iterations = {'1_16': 22272, '1_8': 22194, '1_4': 22240, '1_2': 22320}.get(_base_.split, 22320)
total_batch = (16, 16)
lr = 2.5e-3
weight_decay = 8e-4  # cps/README.md says how both follow from the published code
size = (800, 800)

deep = _base_.segmentor
deep.backbone.multi_grid = (2, 4, 8)
deep.data_preprocessor.size = size
deep.decode_head.sampler.min_kept = 50000
deep.test_cfg = dict(mode='slide', crop_size=size, stride=(533, 533))
wide = {
    **deep, 'backbone': {**deep.backbone, **_base_.wide_backbone},
    'decode_head': {**deep.decode_head, **_base_.wide_head}}
segmentor = {
    **deep, 'backbone': {**deep.backbone, **_base_.student_backbone},
    'decode_head': {**deep.decode_head, **_base_.student_head}}
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(wide=wide, deep=deep),
    burn_in=iterations // 4,
    **_base_.method)
custom_hooks = _base_.custom_hooks
custom_hooks[1].image_weight = 0.001

val_cfg = dict(models=['student'])  # the teacher is its copy
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    optimizer=dict(lr=lr, weight_decay=weight_decay),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0))
