# MixPL for DINO on all of COCO, with unlabeled2017 besides. The authors have no such config: images and lists
# are the defaults of their data sets, the length is ours.
_base_ = './dino_r50_coco.py'
iterations = 180000
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (32, 32)

custom_hooks = [*_base_.custom_hooks[:-1], dict(type='GalleryHook', interval=iterations // 36)]
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
