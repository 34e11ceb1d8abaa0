# Mask R-CNN for many small objects on EfficientNet-Lite0 with ImageNet weights (ssdet[weights]) and
# frozen statistics.
_base_ = './mask-rcnn_r18_small.py'
detector = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='package://efficientnet-lite0')),
    neck=dict(in_channels=[24, 40, 112, 320]))
