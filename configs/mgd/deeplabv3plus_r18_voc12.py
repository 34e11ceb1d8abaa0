# MGD for VOC 2012 (classic protocol, 1/16 unless told otherwise; the paper's: --cfg-options
# protocol=blender split=1_8), DeepLabV3+ with a ResNet-18 between a wide ResNet-34 and a ResNet-101,
# crops of 512.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py',
    '../_base_/datasets/voc12_same_view.py', '../_base_/schedules/voc_seg.py'
]
# 32, 34 (published), 40 and 60 passes of the blender protocol, 8 images at a time
iterations = {'1_16': 39680, '1_8': 39338, '1_4': 39680, '1_2': 39660}.get(_base_.split, 39680)
lr = 2.5e-3  # for 8 labeled and 8 unlabeled images per iteration, in all processes together
weight_decay = 4e-4  # cps/README.md says how both follow from the published code

deep = _base_.segmentor
deep.backbone.multi_grid = (2, 4, 8)
deep.data_preprocessor.size = (512, 512)
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

val_cfg = dict(models=['student'])  # the teacher is its copy
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    optimizer=dict(lr=lr, weight_decay=weight_decay),
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, bias_decay_mult=0.0))
