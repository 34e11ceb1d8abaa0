# FixMatch with CutMix for change detection on LEVIR-CD (5 % of the labels unless told otherwise:
# --cfg-options percent=10), siamese DeepLabV3+ with a ResNet-50, tiles of 256.
_base_ = [
    '../_base_/models/siamese-deeplabv3plus_r50.py', '../_base_/datasets/levir_cd_semi.py',
    '../_base_/schedules/levir_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    sup_weight=0.5,
    unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),  # the student labels for itself
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5)]
