# Efficient Teacher on the demo scenes: a small YOLOX.
_base_ = [
    '../_base_/models/yolox_r18_tiny.py', './_scenes.py', '../_base_/schedules/demo_det.py'
]
model = dict(detector=_base_.detector, burn_in=_base_.burn_in, **_base_.method)
