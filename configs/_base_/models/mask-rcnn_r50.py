# Mask R-CNN with the ResNet-50 of caffe_r50.py. Give num_classes of detector.roi_head.bbox_head and
# detector.roi_head.mask_head where it is not 80.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py', './caffe_r50.py']

detector = _base_.model
detector.data_preprocessor = dict(pad_mask=True, **_base_.caffe_pixels)
detector.backbone.update(_base_.caffe_backbone)
model = dict(_delete_=True)  # the detector alone; a config makes a pair of it
