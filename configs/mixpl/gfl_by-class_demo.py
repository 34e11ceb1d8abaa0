# MixPL on the demo scenes, one-stage detector, with a threshold for each class.
_base_ = ['./gfl_demo.py', './_by_class.py']
custom_hooks = _base_.custom_hooks
custom_hooks[1] = _base_.by_class
