# Faster R-CNN with a ResNet-50 for the 8 classes of Cityscapes.
_base_ = './faster-rcnn_r50.py'
detector = dict(roi_head=dict(bbox_head=dict(num_classes=8)))
