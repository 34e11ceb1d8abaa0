# VOC07 and VOC12, without erasing in the strong view: `EraseHook` does it there.
_base_ = './voc07_voc12_semi.py'

other_images = _base_.other_images
other_images.pipeline[0].views.unsup_student = [
    _base_.resize,
    _base_.flip,
    dict(type='RandomOrder', transforms=[_base_.color, _base_.geometry]),
    dict(type='PackDetInputs')]
train_dataloader = dict(
    dataset=dict(datasets=[_base_.labeled_images, other_images]))
