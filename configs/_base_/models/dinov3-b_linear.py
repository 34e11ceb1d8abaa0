# A linear layer on a frozen DINOv3-B; see dinov3-s_linear.py.
_base_ = './dinov3-s_linear.py'

model = dict(
    backbone=dict(
        pretrained='facebook/dinov3-vitb16-pretrain-lvd1689m',
        config=dict(hidden_size=768, num_attention_heads=12, intermediate_size=3072)),
    decode_head=dict(in_channels=768, channels=768))
