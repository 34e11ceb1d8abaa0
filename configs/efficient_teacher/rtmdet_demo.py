# Efficient Teacher on the demo scenes: a small RTMDet, which has no objectness. It is longer than the other
# demos: for 500 iterations or more, depending on the seed, this detector tells no classes apart.
_base_ = [
    '../_base_/models/rtmdet_r18_tiny.py', './_scenes.py', '../_base_/schedules/demo_det_long.py'
]
burn_in = 1200
model = dict(detector=_base_.detector, burn_in=burn_in, **_base_.method)
