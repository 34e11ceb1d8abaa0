# FixMatch with a mean teacher and CutMix for DeepLabV3+ on your own data; see
# configs/_base_/datasets/own_seg.py for what to set. The backbone starts from ImageNet weights
# (downloaded by MMEngine).
_base_ = [
    'mmseg::_base_/models/deeplabv3plus_r50-d8.py', '../_base_/datasets/own_seg.py',
    '../_base_/default_runtime.py'
]
default_scope = 'mmseg'
iterations = 20000
lr = 0.005  # for 2 labelled images per iteration, in all processes together
momentum = 0.996  # of the teacher

segmentor = _base_.model
segmentor.data_preprocessor.size = _base_.crop_size
data_preprocessor = segmentor.data_preprocessor  # the runner looks here first
segmentor.decode_head.num_classes = len(_base_.classes)
segmentor.auxiliary_head.num_classes = len(_base_.classes)
model = dict(
    _delete_=True,
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    burn_in=iterations // 10)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5),
    dict(type='GalleryHook', interval=max(iterations // 8, 1))]

train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 10, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.0001),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=1e-5)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 10, 1)))
