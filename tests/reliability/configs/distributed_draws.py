# What is drawn at random: boxes that are pasted, channels of two views, dropout of the head.
_base_ = ['./distributed_segmentation.py']
branches = ('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2')
labeled, unlabeled = _base_.train_dataloader.dataset.datasets
labeled.pipeline[0].branch_field = branches
unlabeled.pipeline[0].branch_field = branches
unlabeled.pipeline[0].views.unsup_student_2 = _base_.strong
train_dataloader = dict(dataset=dict(datasets=[labeled, unlabeled]))
model = dict(segmentor=dict(decode_head=dict(dropout_ratio=0.5)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9),
    dict(type='FixedThresholdHook', score=0.05),
    dict(type='CutMixHook', prob=1.0),
    dict(type='ComplementaryDropoutHook', intact=0.0),
    dict(type='DrawsHook'),
    dict(type='DumpRankHook'),
]
