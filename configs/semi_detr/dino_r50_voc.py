# Semi-DETR for DINO on VOC07 (labeled) and VOC12 (unlabeled): 80,000 iterations.
_base_ = ['./_method.py', '../_base_/datasets/voc07_voc12_semi.py']
iterations = 80000
batch = (1, 4)  # labeled and unlabeled images per process and iteration
total_batch = (8, 32)

detector = _base_.detector
detector.bbox_head.num_classes = 20
model = dict(type='TeacherStudentDetector', detector=detector, **_base_.method)
custom_hooks = _base_.custom_hooks
custom_hooks[2].switch = iterations // 2
custom_hooks[3].until = iterations // 2
custom_hooks[4].interval = iterations // 20

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views.sup[1] = _base_.sizes
other_images = _base_.other_images
other_images.pipeline[0].views.unsup_teacher[0] = _base_.sizes
other_images.pipeline[0].views.unsup_student[0] = _base_.sizes
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
test_size = dict(type='Resize', scale=(1333, 800), keep_ratio=True)
val_dataloader = _base_.val_dataloader
val_dataloader.dataset.pipeline[1] = test_size
test_dataloader = val_dataloader
train_cfg = dict(max_iters=iterations, val_interval=iterations // 20)
default_hooks = dict(checkpoint=dict(interval=iterations // 20))
