# UniMatch for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-101, crops of 801, hard pixels of the labeled images. The published threshold is 0.
_base_ = [
    '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_two_views.py', '../_base_/schedules/cityscapes_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    sup_weight=0.5,
    unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),  # the student labels for itself
    dict(type='FixedThresholdHook', score=0.0),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FeaturePerturbationHook', prob=0.5, share=0.5)]
