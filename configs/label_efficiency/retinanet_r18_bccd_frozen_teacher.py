# Data distillation on the blood cells: a teacher that stays what it was after the burn-in sees each
# image in six orientations; the best 80 % of the boxes that the labels promise are taught.
_base_ = './retinanet_r18_bccd.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=1.0),
    dict(
        type='BoxFusionHook',
        views=('identity', 'hflip', 'vflip', 'rot90', 'rot180', 'rot270')),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=0.8,
        uncertain=1.5,
        images=160,
        interval=10,
        default=0.5)]
