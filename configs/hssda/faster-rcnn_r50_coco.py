# HSSDA in 2D for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    './_boxes.py', '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]
burn_in = 10000

model = dict(type='TeacherStudentDetector', detector=_base_.detector, burn_in=burn_in)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
custom_hooks[0].begin = burn_in
custom_hooks[1].labeled = _base_.plain_images
