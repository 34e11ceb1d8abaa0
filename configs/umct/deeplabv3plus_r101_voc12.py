# Fusion of the teacher's views by certainty for VOC 2012 (classic protocol, 1/16 unless told
# otherwise: --cfg-options split=1_8), DeepLabV3+ with a ResNet-101, crops of 321.
_base_ = ['../fixmatch_seg/deeplabv3plus_r101_voc12.py']
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='UncertaintyFusionHook', views=('identity', 'hflip')),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5)]
