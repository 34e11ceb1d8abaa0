# UniMatch V2 for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DPT on DINOv2-B, crops of 518. Needs a file: --cfg-options checkpoint=dinov2_vitb14_pretrain.pth
_base_ = [
    '../_base_/models/dpt_dinov2-b.py', '../_base_/datasets/voc12_two_views.py',
    '../_base_/schedules/voc_seg.py'
]
crop = dict(type='RandomCrop', crop_size=(518, 518))
iterations = 39300  # 60 passes over 10,490 images, 16 at a time
lr = 5e-6  # for 16 labeled and 16 unlabeled images per iteration, in all processes together

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared = [_base_.load, dict(type='LoadMask'), _base_.geometry[0], crop, _base_.geometry[2]]
other_images = _base_.other_images
other_images.pipeline[0].shared = [_base_.load, _base_.geometry[0], crop, _base_.geometry[2]]
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
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
auto_scale_lr = dict(base_batch_size=32)
