# DeepLabV3+ on EfficientNet-Lite0, whose ImageNet weights come by pip: ssdet[weights].
_base_ = ['mmseg::_base_/models/deeplabv3plus_r50-d8.py']
model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        output_stride=16,
        init_cfg=dict(type='Pretrained', checkpoint='package://efficientnet-lite0'),
    ),
    decode_head=dict(
        in_channels=320, channels=256, dilations=(1, 6, 12, 18), c1_in_channels=24, c1_channels=24
    ),
    auxiliary_head=dict(in_channels=112, channels=64),
)
