# Mean Teacher for Faster R-CNN on 10 % of COCO: MMDetection's `SemiBaseDetector` recipe.
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(type='TeacherStudentDetector', detector=_base_.detector, **_base_.method)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
