# The baseline of the shape prior on the demo scenes: uncertainty by passes with dropout (UA-MT).
_base_ = '../_base_/demo/segmentation.py'
model = dict(
    unsup_weight=0.0, segmentor=dict(decode_head=dict(dropout_ratio=0.1)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='DropoutUncertaintyHook', passes=4),
    dict(type='ConsistencyHook', weight=5.0)]
