# FixMatch on VOC 2012 with pseudo labels on disk, which are written and read from a third of the
# training on.
_base_ = [
    '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    sup_weight=0.5,
    unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(
        type='PseudoLabelDiskHook',
        root=f'{_base_.data_root}JPEGImages',
        use=True,
        score=0.9,
        update=0.99,
        start=_base_.iterations // 3),
    dict(type='CutMixHook', prob=0.5)]
