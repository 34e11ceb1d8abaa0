# Bidirectional copy-paste carried over to VOC 2012: a patch for each image, a threshold, and no
# cleaning of components, since a picture may show several objects of a class.
_base_ = [
    '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    burn_in=_base_.iterations // 10)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CopyPasteHook', mode='bidirectional', per_image=True)]
