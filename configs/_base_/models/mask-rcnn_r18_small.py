# Mask R-CNN for many small objects of one class: the small Faster R-CNN with a mask head.
_base_ = './faster-rcnn_r18_small.py'
num_classes = 1

detector = dict(
    type='MaskRCNN',
    data_preprocessor=dict(pad_mask=True),
    roi_head=dict(
        bbox_head=dict(num_classes=num_classes),
        mask_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=2),
            out_channels=64,
            featmap_strides=_base_.strides,
            finest_scale=56),
        mask_head=dict(
            type='FCNMaskHead',
            num_convs=2,
            in_channels=64,
            conv_out_channels=64,
            num_classes=num_classes,
            loss_mask=dict(type='CrossEntropyLoss', use_mask=True))),
    train_cfg=dict(rcnn=dict(mask_size=28)),
    # Up to 270 nuclei lie in a crop of 256x256.
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=500),
                  rcnn=dict(max_per_img=300, mask_thr_binary=0.5)))
