# FixMatch with ShrinkMatch per pixel for Cityscapes (1/16 unless told otherwise:
# --cfg-options split=1_8), DeepLabV3+ with a ResNet-101, crops of 801.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_semi.py', '../_base_/schedules/cityscapes_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    auxiliary=dict(shrink=dict(num_classes=19, **_base_.shrink_head)),
    **_base_.method)
