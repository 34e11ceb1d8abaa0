# AllSpark on the demo scenes: the deepest level of the small DeepLabV3+ is rebuilt, and strong views
# with a threshold take the place of labels for every pixel.
_base_ = '../_base_/demo/segmentation.py'
segmentor = dict(
    neck=dict(type='ChannelCrossAttention', in_channels=64, channels=64, heads=2), **_base_.segmentor)
model = dict(segmentor=segmentor, joint_pass=True)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ChannelMemoryHook', warmup=100)]
