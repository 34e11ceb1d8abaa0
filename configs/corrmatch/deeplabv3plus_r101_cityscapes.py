# CorrMatch for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-101 and output stride 8, crops of 801, hard pixels of the labeled images.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_semi.py', '../_base_/schedules/cityscapes_seg.py'
]

segmentor = _base_.segmentor
segmentor.backbone.update(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
segmentor.decode_head.update(
    dilations=(1, 12, 24, 36), sampler=dict(type='HardPixelSampler', thresh=0.7, min_kept=50000))
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(correlation=dict(num_classes=19, **_base_.correlation)),
    **_base_.method)
