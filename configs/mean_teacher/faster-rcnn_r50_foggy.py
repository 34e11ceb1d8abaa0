# Mean Teacher for Faster R-CNN from Cityscapes (labeled) to Foggy Cityscapes (unlabeled): the thresholds of
# the other data sets, our schedule, no alignment of domains.
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50_cityscapes.py',
    '../_base_/datasets/cityscapes_foggy_semi.py', '../_base_/schedules/voc_40k.py'
]

model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    burn_in=_base_.iterations // 4,  # the first labels in the fog must not be noise
    **_base_.method)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
