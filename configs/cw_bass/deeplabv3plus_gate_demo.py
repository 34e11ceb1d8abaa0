# CW-BASS v2 on the demo scenes: two of the labeled scenes are held out, and decide about the threshold 100
# iterations behind the burn-in.
_base_ = './deeplabv3plus_demo.py'
judged = [dict(type='LoadDigitScene'), *_base_.weak_view]
train_dataloader = dict(dataset=dict(held_out=0.25))
custom_hooks = _base_.custom_hooks
custom_hooks[1] = dict(type='ReliabilityGateHook', score=0.95, at=100, pipeline=judged)
