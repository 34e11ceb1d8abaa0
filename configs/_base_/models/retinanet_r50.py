# RetinaNet with a ResNet-50 of the Caffe kind whose batch norm stays frozen, as the two-stage detector
# beside it. Give detector.bbox_head.num_classes where it is not 80.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

detector = _base_.model
detector.data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[103.530, 116.280, 123.675],
    std=[1.0, 1.0, 1.0],
    bgr_to_rgb=False,
    pad_size_divisor=32)
detector.backbone.norm_cfg.requires_grad = False
detector.backbone.style = 'caffe'
detector.backbone.init_cfg = dict(
    type='Pretrained', checkpoint='open-mmlab://detectron2/resnet50_caffe')
