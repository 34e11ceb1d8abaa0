# DeepLabV3+ with a ResNet-18 of half width and output stride 8, from scratch, on a CPU.
_base_ = './deeplabv3plus_r18_tiny.py'
num_classes = 2
input_size = (128, 128)
normalization = 'GN'  # or 'BN': a batch of few images of different kinds says little of one
norm = dict(type='BN') if normalization == 'BN' else dict(type=normalization, num_groups=8)
segmentor = dict(
    data_preprocessor=dict(size=input_size),
    backbone=dict(base_channels=32, stem_channels=32, norm_cfg=norm),
    decode_head=dict(
        in_channels=128,
        channels=64,
        dilations=(1, 3, 6),
        c1_in_channels=32,
        c1_channels=16,
        norm_cfg=norm,
        num_classes=num_classes))
