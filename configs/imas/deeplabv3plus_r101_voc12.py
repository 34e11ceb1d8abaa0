# iMAS for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101, crops of 513.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py',
    '../_base_/datasets/voc12_two_views.py', '../_base_/schedules/voc_seg.py'
]
crop = dict(type='RandomCrop', crop_size=(513, 513))
total_batch = (16, 16)
iterations = 80 * _base_.one_pass['4x4']

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
other_images.pipeline[0].views.update(
    unsup_student=_base_.intensity, unsup_student_2=[_base_.pack])
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.data_preprocessor.size = (513, 513)
segmentor.backbone.multi_grid = (2, 4, 8)
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
