# Dual pseudo-label polishing for Faster R-CNN on 10 % of COCO (percent = 1, 5 for less), with the
# hyper-parameters of the published code: 8 processes with (1, 3) images each.
_base_ = [
    './_method.py', 'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/coco_semi.py', '../_base_/schedules/coco_180k.py'
]
batch = (1, 3)  # labeled and unlabeled images per process and iteration
total_batch = (8, 24)

detector = _base_.model
detector.test_cfg.rcnn.score_thr = 0.001
num_classes = detector.roi_head.bbox_head.num_classes
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=3.0,
    crowd='background',
    auxiliary=dict(
        box_polisher=_base_.box_polisher,
        cls_polisher=dict(num_classes=num_classes, **_base_.cls_polisher)))
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
custom_hooks[0].stop_after = _base_.iterations * 2 // 3

train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
