# A linear layer on a frozen DINOv3-L; see dinov3-s_linear.py.
_base_ = './dinov3-s_linear.py'

model = dict(
    backbone=dict(
        pretrained='facebook/dinov3-vitl16-pretrain-lvd1689m',
        config=dict(
            hidden_size=1024,
            num_hidden_layers=24,
            num_attention_heads=16,
            intermediate_size=4096),
        out_indices=[24]),
    decode_head=dict(in_channels=1024, channels=1024))
