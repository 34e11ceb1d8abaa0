# HSSDA's dual thresholds and patch shuffle for pixels, on the demo scenes.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(
        type='TeacherEMAHook',
        momentum=0.99,
        schedule='linear',
        start=0.5,
        length=200,
        begin=_base_.burn_in),
    dict(
        type='DualThresholdHook',
        interval=100,
        criteria=('confidence', 'objectness', 'consistency'),
        second_view=dict(flip=False, scale=1.25),
        soft=('confidence', ),
        defaults=dict(
            confidence=(0.9, 0.5), objectness=(0.9, 0.3), consistency=(0.9, 0.5)),
        min_samples=10),
    dict(type='PatchShuffleHook', prob=0.5)]
