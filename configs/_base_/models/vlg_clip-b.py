# SemiVL's network: CLIP's ViT-B with patches of 16, and the decoder that refines similarities with the
# names of the classes: pip install 'ssdet[hf]'. Weights and texts are read when a training starts; a
# folder with CLIP does as well: --cfg-options clip=FOLDER. A config gives the names.
clip = 'openai/clip-vit-base-patch16'
architecture = dict(
    model_type='clip_vision_model',
    hidden_size=768,
    intermediate_size=3072,
    projection_dim=512,
    num_hidden_layers=12,
    num_attention_heads=12,
    patch_size=16,
    image_size=224)
input_size = (512, 512)  # the crop_size of the data

segmentor = dict(
    type='WindowedEncoderDecoder',  # adds probabilities where windows overlap, as the literature does
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=input_size,
        test_cfg=dict(size_divisor=1)),
    backbone=dict(type='CLIPBackbone', pretrained=clip, config=architecture, skips=(0, 4)),
    decode_head=dict(
        type='LanguageGuidedHead',
        in_channels=(768, 768, 512),
        texts=clip,
        channels=128,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=input_size, stride=(426, 426)))
guide = dict(type='DenseTextLabeler', pretrained=clip, config=architecture, scale=100.0)
