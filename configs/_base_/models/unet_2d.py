# The small UNet of semi-supervised medical segmentation (SSL4MIS, BCP): 16 to 256 channels, four
# levels down, for slices of 256x256. Gray slices are read as three equal channels. Other classes:
# set segmentor.decode_head.num_classes.
num_classes = 4
input_size = (256, 256)  # divisible by 16; also the size of the data

norm = dict(type='SyncBN')  # plain batch norm where there is one process
segmentor = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[0.0] * 3,
        std=[255.0] * 3,
        pad_val=0,
        seg_pad_val=255,
        size=input_size,
        test_cfg=dict(size_divisor=16)),
    backbone=dict(
        type='UNet',
        in_channels=3,
        base_channels=16,
        num_stages=5,
        strides=(1, 1, 1, 1, 1),
        enc_num_convs=(2, 2, 2, 2, 2),
        dec_num_convs=(2, 2, 2, 2),
        downsamples=(True, True, True, True),
        enc_dilations=(1, 1, 1, 1, 1),
        dec_dilations=(1, 1, 1, 1),
        norm_cfg=norm,
        act_cfg=dict(type='LeakyReLU'),
        upsample_cfg=dict(type='InterpConv'),
        norm_eval=False),
    decode_head=dict(
        type='FCNHead',
        in_channels=16,
        in_index=4,
        channels=16,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=num_classes,
        norm_cfg=norm,
        align_corners=False,
        # (cross entropy + Dice) / 2
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.5),
            dict(type='ClassDiceLoss', loss_weight=0.5)]),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
