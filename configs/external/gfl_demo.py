# Demo: Mean Teacher, with the boxes of a second detector for every scene. It misses 30 % of the
# digits, confuses 20 % of the others, shifts its boxes, and has one box for each scene that is no
# digit. They are drawn from the truth: no second detector is trained.
_base_ = '../mean_teacher/gfl_demo.py'

detections = dict(
    type='DigitDetections', split='train', count=_base_.count, **_base_.scenes)
custom_hooks = [
    *_base_.custom_hooks, dict(type='ExternalBoxesHook', labels=detections)]
