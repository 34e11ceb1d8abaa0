# A mean teacher on the blood cells that sees each image in four orientations, fuses what it finds, and
# keeps as many boxes of each class as the labels promise. What lies between sure and unsure is left out.
_base_ = './bccd_detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.998),
    dict(
        type='BoxFusionHook',
        views=('identity', 'hflip', 'vflip', 'rot180')),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=0.7,
        uncertain=1.5,
        images=160,
        interval=10,
        default=0.5)]
