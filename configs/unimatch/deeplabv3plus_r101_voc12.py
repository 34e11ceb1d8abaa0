# UniMatch for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101, crops of 321.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py',
    '../_base_/datasets/voc12_two_views.py', '../_base_/schedules/voc_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, **_base_.method)
