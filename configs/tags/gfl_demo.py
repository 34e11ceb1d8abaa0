# Demo: Mean Teacher, with the classes of every unlabeled scene known.
_base_ = '../mean_teacher/gfl_demo.py'

tags = dict(type='DigitScenes', split='train', count=_base_.count, **_base_.scenes)
custom_hooks = [*_base_.custom_hooks, dict(type='ImageTagHook', tags=tags)]
