# AllSpark for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), SegFormer with a
# MiT-B5, crops of 801, hard pixels of the labeled images, one rate for all layers. The memory is used
# after 15 passes over the unlabeled images.
_base_ = [
    './_method.py', '../_base_/models/segformer_b5.py',
    '../_base_/datasets/cityscapes_semi.py', '../_base_/schedules/cityscapes_seg.py'
]
size = (801, 801)
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views.sup = [_base_.strong, _base_.pack]
other_images = _base_.other_images
other_images.pipeline[0].views.unsup_student = [_base_.pack]
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.neck = _base_.neck
segmentor.type = 'WindowedEncoderDecoder'
segmentor.data_preprocessor.size = size
segmentor.decode_head.update(
    num_classes=19, sampler=dict(type='HardPixelSampler', thresh=0.7, min_kept=100000))
segmentor.test_cfg = dict(mode='slide', crop_size=size, stride=(534, 534))
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)
custom_hooks = [
    _base_.average, dict(type='ChannelMemoryHook', warmup=15 * _base_.one_pass['4x2'])]
