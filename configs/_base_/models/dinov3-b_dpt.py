# DINOv3-B with the decoder of DPT; see dinov3-s_dpt.py.
_base_ = './dinov3-s_dpt.py'

model = dict(
    backbone=dict(
        pretrained='facebook/dinov3-vitb16-pretrain-lvd1689m',
        config=dict(hidden_size=768, num_attention_heads=12, intermediate_size=3072)),
    decode_head=dict(
        in_channels=(768, ) * 4,
        embed_dims=768,
        post_process_channels=(96, 192, 384, 768),
        channels=128))
