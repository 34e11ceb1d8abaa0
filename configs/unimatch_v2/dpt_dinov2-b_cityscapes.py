# UniMatch V2 for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DPT on DINOv2-B,
# crops of 798, hard pixels of the labeled images, sliding windows. Needs a file: --cfg-options
# checkpoint=dinov2_vitb14_pretrain.pth
_base_ = [
    '../_base_/models/dpt_dinov2-b.py', '../_base_/datasets/cityscapes_two_views.py',
    '../_base_/schedules/voc_seg.py'
]
size = (798, 798)
crop = dict(type='RandomCrop', crop_size=size)
iterations = 62700  # 180 passes over 2,789 images, 8 at a time
lr = 5e-6  # for 8 labeled and 8 unlabeled images per iteration, in all processes together

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared = [_base_.load, dict(type='LoadMask'), _base_.geometry[0], crop, _base_.geometry[2]]
other_images = _base_.other_images
other_images.pipeline[0].shared = [_base_.load, _base_.geometry[0], crop, _base_.geometry[2]]
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.type = 'WindowedEncoderDecoder'  # adds probabilities where windows overlap
segmentor.data_preprocessor.size = size
segmentor.decode_head.num_classes = 19
segmentor.decode_head.sampler = dict(type='OHEMPixelSampler', thresh=0.7, min_kept=100000)
segmentor.test_cfg = dict(mode='slide', crop_size=size, stride=(532, 532))
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    sup_weight=0.5,
    unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ComplementaryDropoutHook', intact=0.5, share_across_stages=True)]

train_cfg = dict(max_iters=iterations, val_interval=iterations // 40)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=lr, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=40.0))))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=iterations // 40))
