# PseCo for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less; published are 90,000 iterations for
# 1 and 2 %: iterations=90000). The pyramid begins at stride 8, so that it can begin at 4 for half the size.
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]

detector = _base_.detector
detector.neck.update(type='ShiftedFPN', num_outs=6, add_extra_convs='on_input')
detector.rpn_head.anchor_generator.update(scales=[4], strides=[8, 16, 32, 64, 128])
detector.roi_head.bbox_roi_extractor.featmap_strides = [8, 16, 32, 64]
detector.train_cfg.rcnn.sampler.add_gt_as_proposals = False
model = dict(
    type='TeacherStudentDetector', detector=detector, unsup_weight=2.0, crowd='background')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.6),
    dict(type='PredictionGuidedAssignHook', bag_iou=0.4, topk=12),
    dict(type='ConsistencyVotingHook', power=2.0),
    dict(type='HalfViewHook', weight=1.0),
    _base_.gallery]
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        milestones=[_base_.iterations * 2 // 3],
        gamma=0.1)]
