# HSSDA's dual thresholds and patch shuffle, carried over to pixels.
burn_in = 2000
custom_hooks = [
    dict(
        type='TeacherEMAHook',
        momentum=0.9996,
        schedule='linear',
        start=0.5,
        length=2000,
        begin=burn_in),
    dict(
        type='DualThresholdHook',
        interval=2000,
        criteria=('confidence', 'objectness', 'consistency'),
        second_view=dict(flip=True),
        fallback='mean_of_classes'),
    dict(type='PatchShuffleHook')]
