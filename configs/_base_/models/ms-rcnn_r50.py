# Mask Scoring R-CNN: the Mask R-CNN of mask-rcnn_r50.py with a head that says how good a mask is. Give
# num_classes of its three heads where it is not 80.
_base_ = './mask-rcnn_r50.py'

detector = dict(
    type='MaskScoringRCNN',
    roi_head=dict(
        type='MaskScoringRoIHead',
        mask_iou_head=dict(
            type='MaskIoUHead',
            num_convs=4,
            num_fcs=2,
            roi_feat_size=14,
            in_channels=256,
            conv_out_channels=256,
            fc_out_channels=1024,
            num_classes=80)),
    train_cfg=dict(rcnn=dict(mask_thr_binary=0.5)))
