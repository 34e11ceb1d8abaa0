# DINOv2-B with the decoder of DPT, as UniMatch V2 trains it: crops of 518 (37 patches of 14), CE.
# The weights are a file that you bring: dinov2_vitb14_pretrain.pth from
# github.com/facebookresearch/dinov2, named by --cfg-options checkpoint=FILE (None: random weights,
# for trials). Other sizes: encoder 'small' with channels=64 and levels (48, 96, 192, 384), or 'large'
# with channels=256 and levels (256, 512, 1024, 1024); embed_dims 384 and 1024.
num_classes = 21
input_size = (518, 518)  # the crop_size of the data; multiples of 14
encoder = 'base'
embed_dims = 768
channels = 128
levels = (96, 192, 384, 768)
checkpoint = 'pretrained/dinov2_vitb14_pretrain.pth'
frozen = False  # True: only the decoder learns

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
        # Whole images are not padded: the encoder resizes them to multiples of the patch.
        test_cfg=dict(size_divisor=1)),
    backbone=dict(type='DINOv2', size=encoder, checkpoint=checkpoint, frozen=frozen),
    decode_head=dict(
        type='ExactDPTHead',  # of 37 patches: 19 -> 37 -> 74 -> 148 -> 296
        in_channels=(embed_dims, ) * 4,
        in_index=(0, 1, 2, 3),
        input_transform='multiple_select',
        embed_dims=embed_dims,
        post_process_channels=levels,
        channels=channels,
        dropout_ratio=0,
        num_classes=num_classes,
        norm_cfg=None,
        align_corners=True,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
