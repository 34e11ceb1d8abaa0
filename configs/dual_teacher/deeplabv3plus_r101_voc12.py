# Dual mean teachers for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options
# split=1_8): DeepLabV3+ with a ResNet-101 beside one with a ResNet-50, crops of 321.
_base_ = [
    './_pixels.py', '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]

backbone = {**_base_.segmentor.backbone, **_base_.second_backbone}
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    auxiliary=dict(second={**_base_.segmentor, 'backbone': backbone}),
    burn_in=_base_.iterations // 20,
    **_base_.method)
