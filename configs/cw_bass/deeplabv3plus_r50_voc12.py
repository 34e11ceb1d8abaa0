# CW-BASS for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options
# protocol=blender split=1_8), DeepLabV3+ with a ResNet-50 and output stride 8, crops of 321. Both see
# the same view.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r50.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
iterations = 80 * _base_.one_pass['1x16']
total_batch = (16, 16)
lr = 1e-3

# Sizes are drawn around a long side of 400.
resize = dict(type='RandomResize', scale=(400, 400), ratio_range=(0.5, 2.0), keep_ratio=True)
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[2] = resize
other_images = _base_.other_images
other_images.pipeline[0].shared[1] = resize
other_images.pipeline[0].views.unsup_student = [_base_.pack]
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.backbone.update(
    type='ResNet',
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
segmentor.decode_head.update(dilations=(1, 12, 24, 36), dropout_ratio=0.1)
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    unsup_ramp=dict(length=iterations * 5 // 80, kind='linear'),  # 5 passes
    **_base_.method)

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(optimizer=dict(lr=lr))
