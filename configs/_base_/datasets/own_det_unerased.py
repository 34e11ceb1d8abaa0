# As own_det.py, without erasing in the strong view: `EraseHook` does it there. Each assignment here
# takes the place of that of own_det.py, also where `ssdet init` writes them out.
_base_ = './own_det.py'

strong_view = [
    _base_.resize, _base_.flip,
    dict(type='StrongPhotometric'),
    dict(type='PackDetInputs')]
unlabeled_images = dict(
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadImageFromFile')],
            views=dict(unsup_teacher=_base_.weak_view, unsup_student=strong_view))],
    **_base_.unlabeled_source)
train_dataloader = dict(
    batch_size=sum(_base_.batch),
    num_workers=_base_.num_workers,
    persistent_workers=_base_.num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=_base_.batch),
    dataset=dict(
        type='LabeledUnlabeledDataset', datasets=[_base_.labeled_images, unlabeled_images]))
