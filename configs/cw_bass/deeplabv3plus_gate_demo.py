# CW-BASS v2 on the demo scenes: two of the labeled scenes are held out, and decide about the threshold 100
# iterations behind the burn-in. The strict threshold is 0.8: at 0.95 the edges of thin strokes are left out.
_base_ = './deeplabv3plus_demo.py'
judged = [dict(type='LoadDigitScene'), *_base_.weak_view]
train_dataloader = dict(dataset=dict(held_out=0.25))
custom_hooks = _base_.custom_hooks
custom_hooks[1] = dict(type='ReliabilityGateHook', score=0.8, at=100, pipeline=judged)
