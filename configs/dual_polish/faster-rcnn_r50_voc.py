# Dual pseudo-label polishing for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled), with the
# hyper-parameters of the published code: (1, 1) images per process, 45,000 iterations.
_base_ = [
    './_method.py', 'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/voc07_voc12_semi.py', '../_base_/schedules/voc_40k.py'
]
batch = (1, 1)  # labeled and unlabeled images per process and iteration
total_batch = (8, 8)
iterations = 45000

detector = _base_.model
detector.test_cfg.rcnn.score_thr = 0.001
detector.roi_head.bbox_head.num_classes = 20
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=1.0,
    crowd='background',
    auxiliary=dict(
        box_polisher=_base_.box_polisher,
        cls_polisher=dict(num_classes=20, **_base_.cls_polisher)))
custom_hooks = [*_base_.custom_hooks, dict(type='GalleryHook', interval=iterations // 20)]
custom_hooks[0].stop_after = iterations * 2 // 3

resize = dict(type='Resize', scale=(1000, 600), keep_ratio=True)  # of every view
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views.sup[1] = resize
other_images = _base_.other_images
other_images.pipeline[0].views.unsup_teacher[0] = resize
other_images.pipeline[0].views.unsup_student[0] = resize
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
train_cfg = dict(max_iters=iterations, val_interval=iterations // 20)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        milestones=[iterations * 2 // 3, iterations * 8 // 9],
        gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=iterations // 20))
