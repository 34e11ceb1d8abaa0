# FixMatch with ShrinkMatch per pixel for Cityscapes (1/16 unless told otherwise:
# --cfg-options split=1_8), DeepLabV3+ with a ResNet-101, crops of 801. The settings are our defaults.
_base_ = [
    '../_base_/models/deeplabv3plus_r101_cityscapes.py', '../_base_/datasets/cityscapes_semi.py',
    '../_base_/schedules/cityscapes_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    sup_weight=0.5,
    unsup_weight=0.5,
    # The second head: a perceptron on each pixel of the last level, a quarter as wide.
    auxiliary=dict(
        shrink=dict(
            type='FCNHead',
            in_channels=2048,
            in_index=3,
            channels=512,
            num_convs=2,
            kernel_size=1,
            concat_input=False,
            dropout_ratio=0,
            num_classes=19,
            norm_cfg=_base_.norm,
            align_corners=True)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ShrinkMatchHook', threshold=0.95)]
