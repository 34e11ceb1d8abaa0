# Label maps of your own, divided by `ssdet split`: lists with lines `image mask` and `image`. Set the
# variables here, in a copy, or on the command line: --cfg-options data_root=... labeled_list=...
data_root = 'data/own/'  # where the paths in the lists start
labeled_list = 'splits/train.1@10.txt'
unlabeled_list = 'splits/train.1@10-unlabeled.txt'
val_list = 'splits/val.txt'
# Names, a class file (lines `name` or `name red green blue`), or 'voc', 'cityscapes', 'ade', 'coco'.
classes = ('background', 'object')
image_scale = (1024, 512)  # longer and shorter side
crop_size = (512, 512)  # also `size` of the model's data preprocessor
batch = (2, 2)  # labeled and unlabeled images per process and iteration
total_batch = (2, 2)  # in all processes together; the learning rate is for as many
num_workers = 2

load = dict(type='LoadImageFromFile')
geometry = [
    dict(
        type='RandomResize',
        scale=image_scale,
        ratio_range=(0.5, 2.0),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5)]
pack = dict(type='PackSegInputs')
strong = dict(type='StrongPhotometric')

labeled_images = dict(
    type='LabeledMasks',
    source=labeled_list,
    images=data_root,
    classes=classes,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadMask'), *geometry],
            views=dict(sup=[pack]))])
# The weak and the strong view are the same crop: their labels need no transfer.
other_images = dict(
    type='UnlabeledImages',
    source=unlabeled_list,
    data_root=data_root,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, *geometry],
            views=dict(unsup_teacher=[pack], unsup_student=[strong, pack]))])

train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=batch),
    dataset=dict(
        type='LabeledUnlabeledDataset',
        datasets=[labeled_images, other_images]))
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='LabeledMasks',
        source=val_list,
        images=data_root,
        classes=classes,
        test_mode=True,
        pipeline=[load, dict(type='LoadMask'), pack]))
test_dataloader = val_dataloader

val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
