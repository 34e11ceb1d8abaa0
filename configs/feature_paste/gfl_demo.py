# Demo: features of labeled objects are copied into the features of unlabeled scenes, in front of the
# head of a GFL.
_base_ = '../mean_teacher/gfl_demo.py'
custom_hooks = [*_base_.custom_hooks, dict(type='FeaturePasteHook', prob=0.5)]
