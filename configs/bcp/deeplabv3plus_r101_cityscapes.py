# Bidirectional copy-paste carried over to Cityscapes; every pixel is trained on.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_semi.py', '../_base_/schedules/cityscapes_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    burn_in=_base_.iterations // 10)
