# Cityscapes with few of the 2,975 fine annotations: 1/16, 1/8, 1/4, 1/2. docs/datasets.md says how
# the lists of a split are made, or published ones used.
data_root = 'data/cityscapes/'
split = '1_16'
fold = 1
crop_size = (801, 801)  # also `size` of the model's data preprocessor
batch = (2, 2)  # labeled and unlabeled images per process and iteration
num_workers = 4
labeled_list = None  # a published list; None: the file of `ssdet split`
unlabeled_list = None

load = dict(type='LoadImageFromFile')
geometry = [
    dict(
        type='RandomResize',
        scale=(2048, 1024),
        ratio_range=(0.5, 2.0),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5)]
pack = dict(type='PackSegInputs')
strong = dict(type='StrongPhotometric')

labeled_images = dict(
    type='LabeledMasks',
    source=labeled_list or
    f'{data_root}semi_lists/train.{fold}@{split}.txt',
    images=data_root,
    classes='cityscapes',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadMask'), *geometry],
            views=dict(sup=[pack]))])
# The weak and the strong view are the same crop: their labels need no transfer.
other_images = dict(
    type='UnlabeledImages',
    source=unlabeled_list or
    f'{data_root}semi_lists/train.{fold}@{split}-unlabeled.txt',
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
        type='CityscapesDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        test_mode=True,
        pipeline=[load, dict(type='LoadAnnotations'), pack]))
test_dataloader = val_dataloader

# What a number of this config must be quoted with; printed above every table, with the windows of the
# model's test_cfg: as large as the crops, by two thirds of them further, the last one moved back to
# the border of the image. (The boundary F-score takes a second for an image: at tests only.)
protocol_name = dict(
    data='Cityscapes ' + (f'list {labeled_list}' if labeled_list else f'{split} fold {fold}'),
    resolution='val, 1024x2048, single scale')
val_evaluator = dict(
    type='SegmentationMetric', protocol=protocol_name, boundary=None)
test_evaluator = dict(
    type='SegmentationMetric', protocol=protocol_name, boundary=0.0075)
