# Bidirectional copy-paste carried over to Cityscapes: a patch for each image, every pixel trained on,
# no cleaning of components, since a street shows several objects of a class.
_base_ = [
    '../_base_/models/deeplabv3plus_r101_cityscapes.py', '../_base_/datasets/cityscapes_semi.py',
    '../_base_/schedules/cityscapes_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    burn_in=_base_.iterations // 10)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='CopyPasteHook', mode='bidirectional', per_image=True)]
