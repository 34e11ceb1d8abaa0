# DINOv3-L with the decoder of DPT; see dinov3-s_dpt.py.
_base_ = './dinov3-s_dpt.py'

model = dict(
    backbone=dict(
        pretrained='facebook/dinov3-vitl16-pretrain-lvd1689m',
        config=dict(
            hidden_size=1024,
            num_hidden_layers=24,
            num_attention_heads=16,
            intermediate_size=4096),
        out_indices=[5, 12, 18, 24]),
    decode_head=dict(
        in_channels=(1024, ) * 4,
        embed_dims=1024,
        post_process_channels=(256, 512, 1024, 1024),
        channels=256))
