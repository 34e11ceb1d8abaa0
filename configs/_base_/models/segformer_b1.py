# SegFormer with a MiT-B1 (ImageNet weights, downloaded by MMEngine) and 256 channels in the head.
_base_ = './segformer_b5.py'
segmentor = dict(
    backbone=dict(
        num_layers=[2, 2, 2, 2],
        init_cfg=dict(
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/'
            'segformer/mit_b1_20220624-02e5a6a1.pth')),
    decode_head=dict(channels=256))
