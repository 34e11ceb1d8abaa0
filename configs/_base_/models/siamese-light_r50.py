# SemiCD-VL's network: a ResNet-50 for pairs of images, and a decoder of 1x1 convolutions over all
# four levels (MMSegmentation calls it SegformerHead).
_base_ = './siamese-deeplabv3plus_r50.py'

light_head = dict(
    type='SegformerHead',
    in_channels=[256, 512, 1024, 2048],
    in_index=[0, 1, 2, 3],
    channels=256,
    dropout_ratio=0,
    num_classes=2,
    norm_cfg=dict(type='SyncBN'),
    align_corners=False,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))
segmentor = dict(decode_head=dict(_delete_=True, **light_head))
