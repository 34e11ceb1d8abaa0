# The teacher of Noisy Boundaries: a Mask R-CNN on the labeled 10 % of COCO (percent = 1, 2, 5 for less), with
# the views and the schedule of the method.
_base_ = [
    '../_base_/models/mask-rcnn_r50.py', '../_base_/datasets/strong_pixels.py',
    '../_base_/datasets/coco_inst_semi.py', '../_base_/schedules/coco_180k.py'
]
iterations = 90000
batch = (4, )  # labeled images per process and iteration
total_batch = (32, )
lr = 0.02

detector = _base_.detector
detector.backbone.update(
    norm_cfg=dict(type='BN', requires_grad=True),
    style='pytorch',
    init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
detector.data_preprocessor.update(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
model = dict(type='TeacherStudentDetector', detector=detector, crowd='background')
gallery = dict(type='GalleryHook', interval=iterations // 12)
custom_hooks = [dict(type='TeacherEMAHook', momentum=0.999, schedule='mean')]

holes = [(0, 0), (33, 20), (66, 40), (132, 80), (198, 120), (264, 160)]
strong = [
    _base_.resize, _base_.flip, _base_.strong_color,
    dict(
        type='CutOut',
        n_holes=(1, 5),
        cutout_shape=holes,
        fill_in=(103.53, 116.28, 123.675))]
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views.sup = [
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True), *strong,
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2)),
    dict(type='PackDetInputs')]
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images]))

train_cfg = dict(max_iters=iterations, val_interval=iterations // 12)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=False, milestones=[60000, 80000], gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=iterations // 12))
