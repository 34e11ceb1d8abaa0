# Faster R-CNN on EfficientNet-Lite0 with ImageNet weights (ssdet[weights]) and frozen statistics, its
# neck and heads as narrow as those of the small Faster R-CNN, for 320x240 images on a CPU.
_base_ = './faster-rcnn_r18_small.py'
detector = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='package://efficientnet-lite0')),
    neck=dict(in_channels=[24, 40, 112, 320]))
