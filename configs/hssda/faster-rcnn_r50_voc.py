# HSSDA in 2D for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = [
    './_boxes.py', '../_base_/models/faster-rcnn_r50_voc.py',
    '../_base_/datasets/voc07_voc12_semi.py', '../_base_/schedules/voc_40k.py'
]
burn_in = 4000

model = dict(type='TeacherStudentDetector', detector=_base_.detector, burn_in=burn_in)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
custom_hooks[0].begin = burn_in
custom_hooks[1].labeled = _base_.plain_images
