# Dual thresholds and patch shuffle on the nuclei with a teacher that stays what it was after the
# burn-in: one that moves follows its student's mistakes on stains that are hardly labeled.
_base_ = './deeplabv3plus_r18_dsb2018.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=1.0),
    dict(
        type='DualThresholdHook',
        interval=100,
        criteria=('confidence', 'objectness', 'consistency'),
        second_view=dict(flip=True, scale=1.25),
        soft=('confidence', ),
        defaults=dict(
            confidence=(0.9, 0.5), objectness=(0.9, 0.3), consistency=(0.9, 0.5)),
        min_samples=10),
    dict(type='PatchShuffleHook', prob=0.5)]
