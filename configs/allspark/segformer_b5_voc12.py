# AllSpark for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# SegFormer with a MiT-B5, crops of 513. The labeled view is the strong one; the memory is used after
# 5 passes over the unlabeled images.
_base_ = [
    './_method.py', '../_base_/models/segformer_b5.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
crop = dict(type='RandomCrop', crop_size=(513, 513))
batch = (2, 2)
iterations = 80 * _base_.one_pass['4x2']

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
labeled_images.pipeline[0].views.sup = [_base_.strong, _base_.pack]
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
other_images.pipeline[0].views.unsup_student = [_base_.pack]
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.neck = _base_.neck
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)
custom_hooks = [
    _base_.average, dict(type='ChannelMemoryHook', warmup=5 * _base_.one_pass['4x2'])]
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
# 'head' is the decode head; the attention learns as fast.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=10.0))))
