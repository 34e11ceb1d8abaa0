# Faster R-CNN with a ResNet-18 of half width and GroupNorm, from scratch, for small photographs with
# objects of 10 to 200 pixels: the detector of the demos, twice as wide and with four levels.
_base_ = './faster-rcnn_r18_tiny.py'

norm = dict(type='GN', num_groups=8)
strides = [4, 8, 16, 32]
detector = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        base_channels=32,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        norm_cfg=norm,
        norm_eval=False),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64, num_outs=4, norm_cfg=norm),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(scales=[4, 6], strides=strides)),
    roi_head=dict(
        bbox_roi_extractor=dict(
            roi_layer=dict(output_size=7), out_channels=64, featmap_strides=strides),
        bbox_head=dict(in_channels=64, fc_out_channels=256, roi_feat_size=7)),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128)),
        rpn_proposal=dict(nms_pre=500, max_per_img=300),
        rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200), rcnn=dict(max_per_img=100)))
