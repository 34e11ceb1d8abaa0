# MixPL for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled). The paper has no such run: schedule
# and sizes are our defaults.
_base_ = [
    '../_base_/models/faster-rcnn_r50.py',
    '../_base_/datasets/voc07_voc12_semi_unerased.py',
    '../_base_/schedules/voc_40k.py'
]

detector = _base_.detector
detector.roi_head.bbox_head.num_classes = 20
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=2.0,
    empty_weight=0.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9998, schedule='mean', gamma=4),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='EraseHook', count=(1, 19), size=(0.0, 0.1), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(300, 600), weight=0.5),
    dict(type='PseudoMixupHook', share=0.5),
    dict(type='GalleryHook', interval=_base_.iterations // 20)]
