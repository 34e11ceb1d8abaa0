# VOC07 and VOC12, without erasing in the strong view: `EraseHook` does it there.
_base_ = './voc07_voc12_semi.py'

labeled_images, other_images = _base_.train_dataloader.dataset.datasets
other_images.pipeline[0].views.unsup_student = [
    _base_.resize,
    _base_.flip,
    dict(type='RandomOrder', transforms=[_base_.color, _base_.geometry]),
    dict(type='PackDetInputs')]
train_dataloader = dict(
    dataset=dict(datasets=[labeled_images, other_images]))
