# Mask R-CNN with a ResNet-50 for the 8 classes of Cityscapes that have instances.
_base_ = './mask-rcnn_r50.py'
detector = dict(
    roi_head=dict(bbox_head=dict(num_classes=8), mask_head=dict(num_classes=8)))
