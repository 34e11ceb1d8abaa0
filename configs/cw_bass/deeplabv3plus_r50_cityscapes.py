# CW-BASS for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_4), DeepLabV3+ with a
# ResNet-50 and output stride 8, crops of 721, plain cross entropy, whole images in the evaluation.
# Student and teacher see the same view.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r50.py',
    '../_base_/datasets/cityscapes_same_view.py', '../_base_/schedules/voc_seg.py'
]
size = (721, 721)
crop = dict(type='RandomCrop', crop_size=size)
iterations = 240 * _base_.one_pass['1x16']
total_batch = (16, 16)
lr = 4e-3

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[2:4] = [_base_.geometry[0], crop]
other_images = _base_.other_images
other_images.pipeline[0].shared[1:3] = [_base_.geometry[0], crop]
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.data_preprocessor.size = size
segmentor.backbone.update(
    type='ResNet',
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
segmentor.decode_head.update(dilations=(1, 12, 24, 36), dropout_ratio=0.1)
segmentor.decode_head.num_classes = 19
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    unsup_ramp=dict(length=iterations * 5 // 240, kind='linear'),  # 5 passes
    **_base_.method)

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(optimizer=dict(lr=lr))
