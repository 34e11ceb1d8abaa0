# RT-DETR v2 with a ResNet-18-D, of Hugging Face transformers: pip install 'ssdet[hf]'. The sizes are
# those of PekingU/rtdetr_v2_r18vd, whose weights (COCO) are read when a training starts; a folder
# with them does as well: --cfg-options detector.pretrained=FOLDER.
model = dict(
    type='HFDetector',
    num_classes=80,
    pretrained='PekingU/rtdetr_v2_r18vd',
    config=dict(
        model_type='rt_detr_v2',
        backbone_config=dict(
            model_type='rt_detr_resnet',
            embedding_size=64,
            hidden_sizes=[64, 128, 256, 512],
            depths=[2, 2, 2, 2],
            layer_type='basic',
            out_indices=[2, 3, 4]),
        encoder_in_channels=[128, 256, 512],
        hidden_expansion=0.5,
        decoder_layers=3),
    nms=0.7,  # a young student finds an object twice
    score_thr=0.05,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[0.0] * 3,
        std=[255.0] * 3,
        bgr_to_rgb=True,
        pad_size_divisor=32))
# As its authors train it: 16 images, a tenth of the rate in the backbone. Its heads have two names
# each, of which the optimizer must see one.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.1)), norm_decay_mult=0.0, bypass_duplicate=True),
    clip_grad=dict(max_norm=0.1, norm_type=2))
auto_scale_lr = dict(base_batch_size=16)
