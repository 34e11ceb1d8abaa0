# RF-DETR of Hugging Face transformers: pip install 'ssdet[hf]'. The sizes are those of
# Roboflow/rf-detr-base, whose weights (COCO) are read when a training starts; a folder with them does
# as well: --cfg-options detector.pretrained=FOLDER. It sees squares: other images are padded to one.
model = dict(
    type='HFDetector',
    num_classes=80,
    pretrained='Roboflow/rf-detr-base',
    config=dict(
        model_type='rf_detr',
        backbone_config=dict(
            model_type='rf_detr_dinov2',
            hidden_size=384,
            num_attention_heads=6,
            image_size=518,
            patch_size=14,
            num_windows=4,
            out_features=['stage2', 'stage5', 'stage8', 'stage11']),
        decoder_n_points=2),
    nms=0.7,  # a young student finds an object twice
    score_thr=0.05,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=56))
# The rate of its authors for 16 images; theirs falls from layer to layer in the encoder.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(
        custom_keys={'backbone.backbone': dict(lr_mult=0.1)}, norm_decay_mult=0.0),
    clip_grad=dict(max_norm=0.1, norm_type=2))
auto_scale_lr = dict(base_batch_size=16)
