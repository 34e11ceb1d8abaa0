# RetinaNet on EfficientNet-Lite0 with ImageNet weights (ssdet[weights]) and frozen statistics, its
# neck and head as narrow as those of the small RetinaNet, for 320x240 images on a CPU.
_base_ = './retinanet_r18_small_objects.py'
detector = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='package://efficientnet-lite0')),
    neck=dict(in_channels=[40, 112, 320]))
