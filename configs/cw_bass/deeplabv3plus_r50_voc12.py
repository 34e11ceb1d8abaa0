# CW-BASS for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options
# protocol=blender split=1_8), DeepLabV3+ with a ResNet-50, crops of 321. Both see the same view.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r50.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
iterations = 80 * _base_.one_pass['1x16']
total_batch = (16, 16)
lr = 1e-3

other_images = _base_.other_images
other_images.pipeline[0].views.unsup_student = [_base_.pack]
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_images, other_images]))

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    unsup_ramp=dict(length=iterations * 5 // 80, kind='linear'),  # 5 passes
    **_base_.method)

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(optimizer=dict(lr=lr))
