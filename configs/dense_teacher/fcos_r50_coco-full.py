# Dense Teacher for FCOS on all of COCO, with unlabeled2017 besides: 540,000 iterations.
_base_ = './_method.py'
batch = (2, 2)
total_batch = (16, 16)
iterations = 540000
burn_in = 20000

model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=burn_in,
    unsup_ramp=dict(length=burn_in, kind='linear'), crowd='background')
custom_hooks = [
    _base_.ema, dict(type='DenseLabelHook', ratio=0.01, cls=2.0),
    dict(type='GalleryHook', interval=iterations // 36)]
labeled_images = _base_.labeled_images
labeled_images.ann_file = 'annotations/instances_train2017.json'
other_images = _base_.other_images
other_images.source = _base_.data_root + 'annotations/image_info_unlabeled2017.json'
other_images.img_prefix = 'unlabeled2017/'
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
train_cfg = dict(max_iters=iterations, val_interval=iterations // 36)
default_hooks = dict(checkpoint=dict(interval=iterations // 36))
