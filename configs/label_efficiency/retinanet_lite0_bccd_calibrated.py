# A mean teacher on the blood cells whose thresholds are measured on a quarter of the labeled images,
# which it is not trained on. What may be an object is ignored.
_base_ = './retinanet_lite0_bccd.py'
train_dataloader = dict(dataset=dict(held_out=0.25))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.98, schedule='mean', gamma=4),
    dict(
        type='CalibratedThresholdHook',
        target=0.8,
        risk=0.5,  # five images cannot bound a precision: the middle of what they say
        interval=50,
        pipeline=[_base_.load, dict(type='LoadAnnotations', with_bbox=True), *_base_.weak_view])]
