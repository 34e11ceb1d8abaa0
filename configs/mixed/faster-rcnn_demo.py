# Parts of four methods in one list on the demo scenes: the thresholds of Consistent-Teacher, the box
# jitter of Soft Teacher, copy-paste, and the patch shuffle of HSSDA.
_base_ = '../_base_/demo/two_stage.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='GMMThresholdHook', default=0.5, floor=0.3),
    dict(type='BoxJitterHook', times=10, scale=0.06, max_spread=0.05),
    dict(type='CopyPasteHook', prob=0.5),
    dict(type='PatchShuffleHook', prob=0.5)]
