# HSSDA's dual thresholds and patch shuffle for pixels, DeepLabV3+ with a ResNet-101, on
# VOC 2012 (classic protocol, 1/16 unless told otherwise): --cfg-options split=1_8.
_base_ = [
    './_pixels.py', '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, burn_in=_base_.burn_in)
