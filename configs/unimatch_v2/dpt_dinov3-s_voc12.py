# As dpt_dinov3-b_voc12.py, with DINOv3-S.
_base_ = './dpt_dinov3-b_voc12.py'

model = dict(
    segmentor=dict(
        backbone=dict(
            pretrained='facebook/dinov3-vits16-pretrain-lvd1689m',
            config=dict(hidden_size=384, num_attention_heads=6, intermediate_size=1536)),
        decode_head=dict(
            in_channels=(384, ) * 4,
            embed_dims=384,
            post_process_channels=(48, 96, 192, 384),
            channels=64)))
