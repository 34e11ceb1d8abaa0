# DeepLabV3+ with a ResNet-101 (ImageNet weights, downloaded by MMEngine) and output stride 16, as
# the semi-supervised literature trains it: no auxiliary head, no dropout, plain convolutions in the
# head, corners aligned. The stem of these weights has 32, 32 and 64 channels; that of UniMatch, CPS and
# U2PL has 64, 64 and 128, and weights that are not for download by name. Other classes and crops: set
# segmentor.decode_head.num_classes and segmentor.data_preprocessor.size.
num_classes = 21
input_size = (321, 321)  # the crop_size of the data

norm = dict(type='SyncBN')  # plain batch norm where there is one process
segmentor = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=input_size,
        test_cfg=dict(size_divisor=1)),  # whole images as they are, as the literature evaluates
    backbone=dict(
        type='ResNetV1c',
        depth=101,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        contract_dilation=True,
        norm_cfg=norm,
        norm_eval=False,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet101_v1c')),
    decode_head=dict(
        type='PlainASPPHead',
        in_channels=2048,
        in_index=3,
        channels=256,
        dilations=(1, 6, 12, 18),
        c1_in_channels=256,
        c1_channels=48,
        dropout_ratio=0,
        num_classes=num_classes,
        norm_cfg=norm,
        align_corners=True,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
