# Your own data for segmentation: images with label maps (PNG, one number for each class), and a
# folder of images without. Set the variables here, in a copy, or on the command line:
# --cfg-options data_root=... unlabeled=...
# `ssdet init` writes a config of these views for data of any format.
data_root = 'data/own/'
labeled_images = 'labeled/images'
labeled_maps = 'labeled/maps'
unlabeled = 'unlabeled/'  # folder, glob, list file or COCO json
val_images = 'val/images'
val_maps = 'val/maps'
image_suffix = '.jpg'
map_suffix = '.png'
classes = ('background', 'object')  # in the order of the numbers in the maps; 255 is ignored
image_scale = (1024, 512)  # longer and shorter side
crop_size = (512, 512)  # also `size` of the model's data preprocessor
batch = (2, 2)  # labeled and unlabeled images per process and iteration
num_workers = 2

labeled_source = dict(
    type='BaseSegDataset',
    data_root=data_root,
    data_prefix=dict(img_path=labeled_images, seg_map_path=labeled_maps),
    img_suffix=image_suffix,
    seg_map_suffix=map_suffix,
    metainfo=dict(classes=classes))
unlabeled_source = dict(type='UnlabeledImages', source=unlabeled, data_root=data_root)
val_source = dict(
    type='BaseSegDataset',
    data_root=data_root,
    data_prefix=dict(img_path=val_images, seg_map_path=val_maps),
    img_suffix=image_suffix,
    seg_map_suffix=map_suffix,
    metainfo=dict(classes=classes))

load_labels = dict(type='LoadAnnotations')
geometry = [
    dict(type='RandomResize', scale=image_scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5)]
labeled_set = dict(
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadImageFromFile'), load_labels, *geometry],
            views=dict(sup=[dict(type='PhotoMetricDistortion'), dict(type='PackSegInputs')]))],
    **labeled_source)
unlabeled_set = dict(
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadImageFromFile'), *geometry],
            views=dict(
                unsup_teacher=[dict(type='PackSegInputs')],
                unsup_student=[dict(type='StrongPhotometric'), dict(type='PackSegInputs')]))],
    **unlabeled_source)

train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=batch),
    dataset=dict(
        type='LabeledUnlabeledDataset', datasets=[labeled_set, unlabeled_set]))
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=image_scale, keep_ratio=True),
            load_labels,  # after `Resize`: predictions are compared with labels of the original size
            dict(type='PackSegInputs')],
        **val_source))
test_dataloader = val_dataloader

val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU', 'mDice'])
test_evaluator = val_evaluator
