# MixPL for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled). The paper has no such run: schedule
# and sizes are our defaults.
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50_voc.py',
    '../_base_/datasets/voc07_voc12_semi_unerased.py', '../_base_/schedules/voc_40k.py'
]

model = dict(type='TeacherStudentDetector', detector=_base_.detector, **_base_.method)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
custom_hooks[3].size = (300, 600)
