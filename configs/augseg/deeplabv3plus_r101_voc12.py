# AugSeg for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101, crops of 513.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
size = (513, 513)
crop = dict(type='RandomCrop', crop_size=size)
batch = (8, 8)
total_batch = (16, 16)
iterations = 80 * _base_.one_pass['2x8']

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
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
