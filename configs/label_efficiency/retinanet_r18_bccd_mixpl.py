# MixPL on the blood cells, with labels that the teacher gives after it has seen each image in four
# orientations, and as many boxes of each class as the labels promise.
_base_ = './retinanet_r18_bccd.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.998),
    dict(type='BoxFusionHook', views=('identity', 'hflip', 'vflip', 'rot180')),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=1.0,
        uncertain=1.5,
        images=160,
        interval=10,
        default=0.5),
    dict(type='EraseHook', count=(1, 3), size=(0.05, 0.15), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(80, 160), weight=0.5),
    dict(type='PseudoMixupHook', share=0.5)]
