# DINOv3-S (ViT, patches of 16) for detectors, and how it learns: pip install 'ssdet[hf]'. The weights
# are read when a training starts; their license has to be accepted at huggingface.co/facebook, and
# a folder with them does as well: --cfg-options detector.backbone.pretrained=FOLDER.
encoder = dict(
    type='HFBackbone',
    pretrained='facebook/dinov3-vits16-pretrain-lvd1689m',
    config=dict(model_type='dinov3_vit', num_register_tokens=4),
    out_indices=[12])
# As ViTDet trains its models: AdamW, a smaller rate for the encoder.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.1),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)), norm_decay_mult=0.0))
auto_scale_lr = dict(base_batch_size=16)
