# MGD for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-18 between a wide ResNet-34 and a ResNet-101, crops of 800.
_base_ = [
    '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_same_view.py', '../_base_/schedules/cityscapes_seg.py'
]
iterations = 22300  # 137 passes over 2,603 images (1_8), 16 at a time
lr = 0.16  # for 16 labeled and 16 unlabeled images per iteration, in all processes together
size = (800, 800)

deep = _base_.segmentor
deep.data_preprocessor.size = size
deep.decode_head.sampler.min_kept = 50000
deep.test_cfg = dict(mode='slide', crop_size=size, stride=(533, 533))
# Twice as wide as a ResNet-34; there are no published weights of it.
wide = {
    **deep,
    'backbone': {**deep.backbone, 'depth': 34, 'base_channels': 128, 'init_cfg': None},
    'decode_head': {**deep.decode_head, 'in_channels': 1024, 'c1_in_channels': 128}}
segmentor = {
    **deep,
    'backbone': {
        **deep.backbone, 'depth': 18,
        'init_cfg': dict(type='Pretrained', checkpoint='open-mmlab://resnet18_v1c')},
    'decode_head': {
        **deep.decode_head, 'in_channels': 512, 'channels': 128, 'c1_in_channels': 64,
        'c1_channels': 24}}
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(wide=wide, deep=deep),
    predict_with='student',
    burn_in=iterations // 4)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='MultiGranularityHook', learning='wide', region_weight=100.0, image_weight=0.001),
    dict(type='CutMixHook', prob=1.0, area=(0.25, 0.5))]

val_cfg = dict(models=['student'])  # the teacher is its copy
train_cfg = dict(max_iters=iterations, val_interval=iterations // 40)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=iterations // 40))
auto_scale_lr = dict(base_batch_size=32)
