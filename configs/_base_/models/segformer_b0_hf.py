# SegFormer-B0 of Hugging Face transformers: pip install 'ssdet[hf]'. The sizes are those of
# nvidia/segformer-b0-finetuned-ade-512-512, whose weights (ADE20K) are read when a training starts; a
# folder with them does as well: --cfg-options segmentor.pretrained=FOLDER.
model = dict(
    type='HFSegmentor',
    num_classes=150,
    pretrained='nvidia/segformer-b0-finetuned-ade-512-512',
    config=dict(model_type='segformer'),
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),
        test_cfg=dict(size_divisor=32)),
    test_cfg=dict(mode='whole'))
# As its authors train it: 16 images, ten times the rate in the head.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-5, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0)), norm_decay_mult=0.0))
auto_scale_lr = dict(base_batch_size=16)
