# Unbiased Teacher for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50_voc.py',
    '../_base_/datasets/voc07_voc12_semi.py', '../_base_/schedules/voc_40k.py'
]

detector = _base_.detector
detector.train_cfg.rpn.sampler.pos_fraction = 0.25
detector.roi_head.bbox_head.loss_cls = _base_.focal
model = dict(
    type='TeacherStudentDetector',
    detector=detector,
    burn_in=_base_.iterations // 8,  # our default
    **_base_.method)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
