# MixPL on the blood cells that keeps as many boxes of each class as the labels promise, as
# `ssdet init` sets it (`mixpl-by-class`, its default) for photographs of this size.
_base_ = './retinanet_lite0_bccd.py'
model = dict(empty_weight=0.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.98, schedule='mean', gamma=4),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=1.0,
        uncertain=1.5,
        images=160,
        interval=10,
        default=0.5),
    dict(type='EraseHook', count=(1, 19), size=(0.0, 0.1), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(80, 160), weight=0.5),
    dict(type='PseudoMixupHook', share=0.5)]
