# The detector of U2Seg without its masks: Cascade R-CNN with batch norm that learns, for `count` clusters.
_base_ = ['mmdet::_base_/models/cascade-rcnn_r50_fpn.py', '../_base_/datasets/coco_semi.py']
count = 800  # or 300, as the file has
norm = dict(type='SyncBN', requires_grad=True)
stages = [dict(stage, num_classes=count) for stage in _base_.model.roi_head.bbox_head]
model = dict(
    backbone=dict(
        norm_cfg=norm, norm_eval=False, frozen_stages=-1, init_cfg=None),
    neck=dict(norm_cfg=norm),
    roi_head=dict(bbox_head=stages))
