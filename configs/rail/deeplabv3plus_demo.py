# RAIL on the demo scenes: four small networks of one size in two groups that take turns.
_base_ = '../_base_/demo/segmentation.py'
other = _base_.segmentor
model = dict(
    auxiliary=dict(second=other, third=other, fourth=other), auxiliary_teachers=['third'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='RegionInstructionHook', period=50, ramp_length=_base_.burn_in)]
