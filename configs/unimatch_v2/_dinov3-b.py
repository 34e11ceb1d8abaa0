# DINOv3-B in place of DINOv2-B: crops of 512 (32 patches of 16). Its weights: see
# _base_/models/dinov3-s_dpt.py.
dinov3_size = (512, 512)
dinov3_crop = dict(type='RandomCrop', crop_size=dinov3_size)
dinov3 = dict(
    type='HFBackbone',
    pretrained='facebook/dinov3-vitb16-pretrain-lvd1689m',
    config=dict(
        model_type='dinov3_vit',
        num_register_tokens=4,
        hidden_size=768,
        num_attention_heads=12,
        intermediate_size=3072),
    out_indices=[3, 6, 9, 12],
    class_token=True)
