# UniMatch V2 for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DPT on DINOv2-B, crops of 518. Needs a file: --cfg-options checkpoint=dinov2_vitb14_pretrain.pth
_base_ = [
    './_method.py', '../_base_/models/dpt_dinov2-b.py', '../_base_/datasets/voc12_two_views.py',
    '../_base_/schedules/adamw_seg.py'
]
crop = dict(type='RandomCrop', crop_size=(518, 518))
iterations = 60 * _base_.one_pass['4x4']
total_batch = (16, 16)

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, **_base_.method)

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
