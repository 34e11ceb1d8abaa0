# SemiVL for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8), CLIP's
# ViT-B, crops of 512: UniMatch, and a frozen CLIP whose labels count less and less.
_base_ = [
    '../unimatch/_method.py', './_voc_names.py', '../_base_/models/vlg_clip-b.py',
    '../_base_/datasets/voc12_two_views.py', '../_base_/schedules/voc_seg.py'
]
resize = dict(
    type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True)
crop = dict(type='RandomCrop', crop_size=(512, 512))
batch = (2, 2)
iterations = 80 * _base_.one_pass['4x2']

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[2:4] = [resize, crop]
other_images = _base_.other_images
other_images.pipeline[0].shared[1:3] = [resize, crop]
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            _base_.load, dict(type='Resize', scale=(2048, 512), keep_ratio=True),
            dict(type='LoadAnnotations'), _base_.pack]))
test_dataloader = val_dataloader
# Scores are those of the original size; the model sees windows of an image scaled to that side.
seen = 'val, original size, windows of 512 of images with a short side of 512, single scale'
val_evaluator = dict(protocol=dict(resolution=seen))
test_evaluator = val_evaluator

segmentor = _base_.segmentor
segmentor.decode_head.update(num_classes=21, concepts=_base_.decoder_names)
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(clip=dict(concepts=_base_.guide_names, **_base_.guide)),
    **_base_.method)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='TextGuidanceHook', start=0.1, end=0.0, length=iterations, score=0.9)]
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.01))))
