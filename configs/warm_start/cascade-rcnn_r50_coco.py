# Cascade R-CNN on 10 % of COCO that starts from unsupervised weights (U2Seg). Give them:
# --cfg-options load_from=start.pth
_base_ = ['./_clusters.py', '../cascade/_method.py', '../_base_/schedules/coco_180k.py']

detector = _base_.model
detector.roi_head.bbox_head = [
    dict(stage, num_classes=80) for stage in detector.roi_head.bbox_head
]
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=4.0)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
