# UniMatch for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101, crops of 321.
_base_ = [
    '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_two_views.py',
    '../_base_/schedules/voc_seg.py'
]

# 1/2 (L_x + 1/4 L_s1 + 1/4 L_s2 + 1/2 L_fp)
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    sup_weight=0.5,
    unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),  # the student labels for itself
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FeaturePerturbationHook', prob=0.5, share=0.5)]
