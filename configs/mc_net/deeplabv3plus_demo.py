# MC-Net+ on the demo scenes: three heads of DeepLabV3+ that look differently far, the third without
# the low level.
_base_ = '../_base_/demo/segmentation.py'
head = _base_.segmentor.decode_head
second = dict(head, dilations=(1, 3, 6))
third = dict(head, dilations=(1, 1, 2), c1_in_channels=0, c1_channels=0)
model = dict(
    auxiliary=dict(second=second, third=third),
    unsup_weight=0.0,  # no pseudo labels
    predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(
        type='MutualDecodersHook',
        heads=['second', 'third'],
        weight=1.0,
        ramp_length=_base_.iterations - _base_.burn_in)]
val_cfg = dict(models=['student'])  # the teacher is its copy
