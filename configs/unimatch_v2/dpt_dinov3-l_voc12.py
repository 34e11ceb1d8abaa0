# As dpt_dinov3-b_voc12.py, with DINOv3-L.
_base_ = './dpt_dinov3-b_voc12.py'

sizes = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16)
backbone = dict(
    pretrained='facebook/dinov3-vitl16-pretrain-lvd1689m',
    config=dict(**sizes, intermediate_size=4096),
    out_indices=[5, 12, 18, 24])
levels = (256, 512, 1024, 1024)
decoder = dict(
    in_channels=(1024, ) * 4, embed_dims=1024, post_process_channels=levels, channels=256)
model = dict(segmentor=dict(backbone=backbone, decode_head=decoder))
