# MixPL on the blood cells as `ssdet init --method mixpl` sets it for photographs of this size.
_base_ = './retinanet_lite0_bccd.py'
model = dict(empty_weight=0.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.98, schedule='mean', gamma=4),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='EraseHook', count=(1, 19), size=(0.0, 0.1), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(80, 160), weight=0.5),
    dict(type='PseudoMixupHook', share=0.5)]
