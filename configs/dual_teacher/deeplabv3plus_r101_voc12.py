# Dual mean teachers for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options
# split=1_8): DeepLabV3+ with a ResNet-101 beside one with a ResNet-50, crops of 321.
_base_ = [
    '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]

backbone = {
    **_base_.segmentor.backbone, 'depth': 50,
    'init_cfg': dict(type='Pretrained', checkpoint='open-mmlab://resnet50_v1c')}
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    auxiliary=dict(second={**_base_.segmentor, 'backbone': backbone}),
    auxiliary_teachers=['second'],
    burn_in=_base_.iterations // 20)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='DualTeacherHook', network='second', score=0.6, agreement=0.6),
    dict(type='CutMixHook', prob=0.5)]
