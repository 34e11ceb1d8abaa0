# Mean Teacher for Faster R-CNN on 10 % of COCO, whose teacher sees each image and its mirror image.
_base_ = '../mean_teacher/faster-rcnn_r50_coco.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='BoxFusionHook', views=('identity', 'hflip')),
    dict(type='FixedThresholdHook', score=0.8),
    _base_.gallery]
