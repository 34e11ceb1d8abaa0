# Semi-DETR for DINO on all of COCO, with unlabeled2017 besides: 1:1, 240,000 iterations.
_base_ = './dino_r50_coco.py'
iterations = 240000
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (32, 32)

model = dict(unsup_weight=2.0)
custom_hooks = _base_.custom_hooks
custom_hooks[2].switch = iterations // 2
custom_hooks[3].until = iterations // 2
custom_hooks[4].interval = iterations // 60
labeled_images = _base_.labeled_images
labeled_images.ann_file = 'annotations/instances_train2017.json'
other_images = _base_.other_images
other_images.source = _base_.data_root + 'annotations/image_info_unlabeled2017.json'
other_images.img_prefix = 'unlabeled2017/'
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
train_cfg = dict(max_iters=iterations, val_interval=iterations // 60)
param_scheduler = [
    dict(
        type='MultiStepLR',
        by_epoch=False,
        milestones=[iterations // 2, iterations * 2 // 3],
        gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=iterations // 60))
