# Mask R-CNN with a ResNet-18 of quarter width: the small Faster R-CNN with a mask head.
_base_ = './faster-rcnn_r18_tiny.py'

detector = dict(
    type='MaskRCNN',
    data_preprocessor=dict(pad_mask=True),
    roi_head=dict(
        mask_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=10, sampling_ratio=2),
            out_channels=32,
            featmap_strides=[8, 16],
            # Masks of small objects need the fine level more than boxes do.
            finest_scale=64),
        mask_head=dict(
            type='FCNMaskHead',
            num_convs=2,
            in_channels=32,
            conv_out_channels=32,
            num_classes=_base_.num_classes,
            loss_mask=dict(type='CrossEntropyLoss', use_mask=True))),
    train_cfg=dict(rcnn=dict(mask_size=20)),
    test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)))
