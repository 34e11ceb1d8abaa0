# DINO-DETR on DINOv3-B; see dinov3-s_dino.py.
_base_ = './dinov3-s_dino.py'

model = dict(
    backbone=dict(
        pretrained='facebook/dinov3-vitb16-pretrain-lvd1689m',
        config=dict(hidden_size=768, num_attention_heads=12, intermediate_size=3072)),
    neck=dict(in_channels=768))
