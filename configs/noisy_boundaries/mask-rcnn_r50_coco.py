# Noisy Boundaries for Mask R-CNN on 10 % of COCO (percent = 1, 2, 5 for less). The plain Mask R-CNN of
# mask-rcnn_r50_coco_baseline.py labels, and never moves; give its file as teacher_file.
_base_ = './mask-rcnn_r50_coco_baseline.py'
teacher_file = 'work_dirs/noisy_boundaries_teacher/checkpoints/iter_90000.pth'
batch = (3, 1)  # labeled and unlabeled images per process and iteration
total_batch = (24, 8)

teacher = _base_.detector
teacher.test_cfg.rcnn.mask_thr_binary = 0.44
head = dict(
    type='NoiseTolerantMaskHead', loss_mask=dict(_delete_=True, type='BoundaryMaskLoss'))
# All images of an iteration weigh the same.
model = dict(
    detector=dict(roi_head=dict(mask_head=head)),
    sup_weight=0.75,
    unsup_weight=0.25,
    teacher=dict(model=teacher, checkpoint=teacher_file))
custom_hooks = [
    dict(type='LabelDistributionThresholdHook', reliable=1.0, floor=0.1, default=0.5),
    _base_.gallery]

other_images = _base_.other_images
other_images.pipeline[0].views.unsup_student = [*_base_.strong, dict(type='PackDetInputs')]
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[_base_.labeled_images, other_images]))
