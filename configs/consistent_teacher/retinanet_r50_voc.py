# Consistent-Teacher for RetinaNet on VOC07 (labeled) and VOC12 (unlabeled): 72,000 iterations.
_base_ = [
    './_method.py', '../_base_/models/retinanet_r50_fam3d.py',
    '../_base_/datasets/voc07_voc12_semi.py', '../_base_/schedules/flat_180k.py'
]
iterations = 72000
warm_up = 1000
batch = (1, 4)
total_batch = (8, 32)

detector = _base_.detector
detector.backbone.norm_cfg.requires_grad = False
detector.bbox_head.num_classes = 20
model = dict(
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=2.0,
    unsup_ramp=dict(length=warm_up, kind='step'),
    crowd='background')
custom_hooks = [*_base_.custom_hooks, dict(type='GalleryHook', interval=iterations // 18)]

train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
train_cfg = dict(max_iters=iterations, val_interval=iterations // 18)
default_hooks = dict(checkpoint=dict(interval=iterations // 18))
