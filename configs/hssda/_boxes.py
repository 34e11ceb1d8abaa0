# HSSDA in 2D. A config says when the teacher begins to move and which labeled images the
# thresholds are fitted to.
interval = 2000  # iterations between two fits of the thresholds, and checks of mined boxes
custom_hooks = [
    dict(
        type='TeacherEMAHook',
        momentum=0.9996,
        schedule='linear',
        start=0.5,
        length=2000),
    dict(
        type='DualThresholdHook',
        interval=interval,
        max_images=1000,
        criteria=('confidence', 'objectness', 'consistency'),
        second_view=dict(flip=True),
        fallback='mean_of_classes'),
    dict(type='PseudoBoxMemoryHook', interval=interval),
    dict(type='PatchShuffleHook')]
