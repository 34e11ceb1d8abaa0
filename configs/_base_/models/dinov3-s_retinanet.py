# RetinaNet on DINOv3-S with the pyramid of ViTDet, strides 8 to 128.
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', './dinov3-s.py']
model = dict(
    backbone=dict(_delete_=True, **_base_.encoder),
    neck=dict(
        _delete_=True,
        type='SimpleFeaturePyramid',
        in_channels=384,
        out_channels=256,
        start=1,
        num_outs=5))
