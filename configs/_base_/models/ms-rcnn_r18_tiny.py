# Mask Scoring R-CNN with a ResNet-18 of quarter width: the small Mask R-CNN with a head that says how good
# a mask is.
_base_ = './mask-rcnn_r18_tiny.py'

detector = dict(
    type='MaskScoringRCNN',
    roi_head=dict(
        type='MaskScoringRoIHead',
        mask_iou_head=dict(
            type='MaskIoUHead',
            num_convs=2,
            num_fcs=1,
            roi_feat_size=10,
            in_channels=32,
            conv_out_channels=32,
            fc_out_channels=64,
            num_classes=_base_.num_classes)),
    train_cfg=dict(rcnn=dict(mask_thr_binary=0.5)))
