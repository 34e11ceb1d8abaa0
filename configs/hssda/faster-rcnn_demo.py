# HSSDA in 2D on the demo scenes: dual thresholds, mined boxes, patch shuffle. Digits are not mirrored,
# so the second view is a smaller one.
_base_ = '../_base_/demo/two_stage.py'
custom_hooks = [
    dict(
        type='TeacherEMAHook',
        momentum=0.995,
        schedule='linear',
        start=0.5,
        length=200,
        begin=_base_.burn_in),
    dict(
        type='DualThresholdHook',
        interval=100,
        criteria=('confidence', 'objectness', 'consistency'),
        second_view=dict(flip=False, scale=0.8),
        defaults=dict(
            confidence=(0.9, 0.5), objectness=(0.9, 0.3), consistency=(0.8, 0.5)),
        min_samples=10,
        fallback='global_pool'),
    dict(type='PseudoBoxMemoryHook', interval=100),
    dict(type='PatchShuffleHook')]
