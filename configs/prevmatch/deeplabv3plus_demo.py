# PrevMatch on the demo scenes: that of UniMatch, with a student kept every 50 iterations.
_base_ = '../unimatch/deeplabv3plus_demo.py'
model = dict(sup_weight=0.5, unsup_weight=0.5)
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='PreviousTeachersHook',
        interval=50,
        score=_base_.score,
        length=_base_.iterations - _base_.burn_in)]
