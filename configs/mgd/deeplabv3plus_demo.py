# MGD on the demo scenes: a student of half the channels between two networks of the demo's size. All
# three learn the labels first.
_base_ = '../_base_/demo/segmentation.py'
large = _base_.segmentor
model = dict(
    segmentor=dict(
        backbone=dict(base_channels=8),
        decode_head=dict(in_channels=32, channels=16, c1_in_channels=8)),
    auxiliary=dict(wide=large, deep=large),
    predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='MultiGranularityHook', learning='wide', region_weight=100.0, image_weight=0.002),
    dict(type='CutMixHook', prob=0.5)]
