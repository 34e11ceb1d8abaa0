# CW-BASS for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options
# protocol=blender split=1_8), DeepLabV3+ with a ResNet-50, crops of 321. Both see the same view.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r50.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
iterations = 52400  # 80 passes over 10,490 images, 16 at a time
lr = 1e-3  # for 16 labeled and 16 unlabeled images per iteration, in all processes together

other_images = _base_.other_images
other_images.pipeline[0].views.unsup_student = [_base_.pack]
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_images, other_images]))

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    unsup_ramp=dict(length=iterations * 5 // 80, kind='linear'),  # 5 passes
    **_base_.method)

train_cfg = dict(max_iters=iterations, val_interval=iterations // 40)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=iterations // 40))
auto_scale_lr = dict(base_batch_size=32)
