# A mean teacher on the blood cells that keeps as many boxes of each class as the labels promise.
# `tools/benchmark_labels.py` takes the hooks; what lies between sure and unsure is left out of the loss.
_base_ = './retinanet_r18_bccd.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean', gamma=4),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=1.0,
        uncertain=1.5,
        images=160,
        interval=10,
        default=0.5)]
