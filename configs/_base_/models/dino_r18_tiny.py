# DINO with a ResNet-18 of quarter width and two levels, for 128x128 images on a CPU: 0.5 million
# parameters, 30 queries.
_base_ = './r18_tiny.py'

attention = dict(embed_dims=64, num_heads=4, num_levels=2, dropout=0.0)
feed_forward = dict(embed_dims=64, feedforward_channels=128, ffn_drop=0.0)
detector = dict(
    type='DINO',
    num_queries=30,
    num_feature_levels=2,
    with_box_refine=True,
    as_two_stage=True,
    neck=dict(
        _delete_=True,
        type='ChannelMapper',
        in_channels=[32, 64],
        kernel_size=1,
        out_channels=64,
        act_cfg=None,
        norm_cfg=dict(type='GN', num_groups=8),
        num_outs=2),
    encoder=dict(
        num_layers=1, layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=feed_forward)),
    decoder=dict(
        num_layers=2,
        return_intermediate=True,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=64, num_heads=4, dropout=0.0),
            cross_attn_cfg=attention,
            ffn_cfg=feed_forward),
        post_norm_cfg=None),
    positional_encoding=dict(num_feats=32, normalize=True, offset=0.0, temperature=20),
    bbox_head=dict(
        type='DINOHead',
        num_classes=_base_.num_classes,
        embed_dims=64,
        sync_cls_avg_factor=True,
        loss_cls=dict(
            type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=2.0),
        loss_bbox=dict(type='L1Loss', loss_weight=5.0),
        loss_iou=dict(type='GIoULoss', loss_weight=2.0)),
    dn_cfg=dict(
        label_noise_scale=0.5,
        box_noise_scale=0.4,
        group_cfg=dict(dynamic=True, num_groups=None, num_dn_queries=10)),
    train_cfg=dict(
        assigner=dict(
            type='HungarianAssigner',
            match_costs=[
                dict(type='FocalLossCost', weight=2.0),
                dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                dict(type='IoUCost', iou_mode='giou', weight=2.0)])),
    test_cfg=dict(max_per_img=20))
