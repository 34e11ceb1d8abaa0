# HSSDA's dual thresholds and patch shuffle for pixels, DeepLabV3+ with a ResNet-101, on
# Cityscapes (1/16 unless told otherwise): --cfg-options split=1_8.
_base_ = [
    './_pixels.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_semi.py', '../_base_/schedules/cityscapes_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, burn_in=_base_.burn_in)
