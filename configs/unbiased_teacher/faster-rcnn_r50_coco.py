# Unbiased Teacher for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]
batch = (4, 4)
total_batch = (32, 32)

detector = _base_.detector
detector.train_cfg.rpn.sampler.pos_fraction = 0.25
detector.roi_head.bbox_head.loss_cls = _base_.focal
model = dict(
    type='TeacherStudentDetector', detector=detector, burn_in=2000, **_base_.method)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]

# Weak and strong views differ in their pixels alone. A labeled image is weak or strong, where the
# paper puts both of it into the batch.
shared = [_base_.load, dict(type='LoadEmptyAnnotations'), _base_.resize, _base_.flip]
strong = [_base_.color, dict(type='RandomErasing', n_patches=(1, 4), ratio=(0, 0.2))]
pack = dict(type='PackDetInputs')
labeled_images = {**_base_.labeled_images, 'pipeline': [
    dict(
        type='WeakStrongViews',
        shared=[_base_.load],
        views=dict(sup=[
            dict(type='LoadAnnotations', with_bbox=True), _base_.resize, _base_.flip,
            dict(type='RandomApply', transforms=strong, prob=0.5),
            dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2)), pack]))]}
other_images = {**_base_.other_images, 'pipeline': [
    dict(
        type='WeakStrongViews',
        shared=shared,
        views=dict(unsup_teacher=[pack], unsup_student=[*strong, pack]))]}
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
# The rate is never lowered.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500)]
