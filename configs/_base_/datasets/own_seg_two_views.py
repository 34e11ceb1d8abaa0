# As own_seg.py, with two strong views of each unlabeled crop. Each assignment here takes the place
# of that of own_seg.py, also where `ssdet init` writes them out.
_base_ = './own_seg.py'

labeled_set = dict(
    pipeline=[
        dict(
            type='WeakStrongViews',
            branch_field=('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2'),
            shared=[dict(type='LoadImageFromFile'), _base_.load_labels, *_base_.geometry],
            views=dict(sup=[dict(type='PhotoMetricDistortion'), dict(type='PackSegInputs')]))],
    **_base_.labeled_source)
unlabeled_set = dict(
    pipeline=[
        dict(
            type='WeakStrongViews',
            branch_field=('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2'),
            shared=[dict(type='LoadImageFromFile'), *_base_.geometry],
            views=dict(
                unsup_teacher=[dict(type='PackSegInputs')],
                unsup_student=[dict(type='StrongPhotometric'), dict(type='PackSegInputs')],
                unsup_student_2=[dict(type='StrongPhotometric'), dict(type='PackSegInputs')]))],
    **_base_.unlabeled_source)
train_dataloader = dict(
    batch_size=sum(_base_.batch),
    num_workers=_base_.num_workers,
    persistent_workers=_base_.num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=_base_.batch),
    dataset=dict(
        type='LabeledUnlabeledDataset', datasets=[labeled_set, unlabeled_set]))
