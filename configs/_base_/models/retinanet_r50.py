# RetinaNet with the ResNet-50 of caffe_r50.py. Give detector.bbox_head.num_classes where it is not 80.
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', './caffe_r50.py']

detector = _base_.model
detector.data_preprocessor = _base_.caffe_pixels
detector.backbone.update(_base_.caffe_backbone)
model = dict(_delete_=True)  # the detector alone; a config makes a pair of it
