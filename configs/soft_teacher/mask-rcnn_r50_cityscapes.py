# Soft Teacher for Mask R-CNN on 10 % of Cityscapes: as faster-rcnn_r50_cityscapes.py, with masks.
_base_ = [
    './_method.py', '../_base_/models/mask-rcnn_r50_cityscapes.py',
    '../_base_/datasets/cityscapes_inst_semi.py', '../_base_/schedules/voc_40k.py'
]

model = dict(type='TeacherStudentDetector', detector=_base_.detector, unsup_weight=2.0)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
