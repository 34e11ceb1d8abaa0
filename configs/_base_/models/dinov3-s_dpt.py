# DINOv3-S (ViT, patches of 16) with the decoder of DPT: pip install 'ssdet[hf]'. The weights are read
# when a training starts; their license has to be accepted at huggingface.co/facebook, and a folder
# with them does as well: --cfg-options segmentor.backbone.pretrained=FOLDER.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),
        test_cfg=dict(size_divisor=16)),
    backbone=dict(
        type='HFBackbone',
        pretrained='facebook/dinov3-vits16-pretrain-lvd1689m',
        config=dict(
            model_type='dinov3_vit',
            num_register_tokens=4,
            hidden_size=384,
            num_attention_heads=6,
            intermediate_size=1536),
        out_indices=[3, 6, 9, 12],
        class_token=True),
    decode_head=dict(
        type='ExactDPTHead',
        in_channels=(384, ) * 4,
        in_index=(0, 1, 2, 3),
        input_transform='multiple_select',
        embed_dims=384,
        post_process_channels=(48, 96, 192, 384),
        channels=64,
        dropout_ratio=0,
        num_classes=21,
        norm_cfg=None,
        align_corners=True,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
# As UniMatch V2 trains DINOv2: 16 labeled images, a small rate for the encoder.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.025))))
auto_scale_lr = dict(base_batch_size=16)
