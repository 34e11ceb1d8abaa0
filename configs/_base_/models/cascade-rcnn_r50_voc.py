# Cascade R-CNN with a ResNet-50 for the 20 classes of VOC.
_base_ = './cascade-rcnn_r50.py'
detector = dict(
    roi_head=dict(
        bbox_head=[dict(stage, num_classes=20) for stage in _base_.detector.roi_head.bbox_head]))
