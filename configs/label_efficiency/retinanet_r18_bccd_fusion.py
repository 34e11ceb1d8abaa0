# A mean teacher on the blood cells that sees each image in six orientations, fuses what it finds, and
# keeps as many boxes of each class as the labels promise. What lies between sure and unsure is left out.
_base_ = './retinanet_r18_bccd.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.998),
    dict(
        type='BoxFusionHook',
        views=('identity', 'hflip', 'vflip', 'rot90', 'rot180', 'rot270')),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=1.0,
        uncertain=1.5,
        images=160,
        interval=10,
        default=0.5)]
