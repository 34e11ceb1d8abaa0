# COCO, train2017 with 1, 2, 5 or 10 % labeled, as in STAC and Soft Teacher. docs/datasets.md says
# how the files of a split are made, or published ones used.
data_root = 'data/coco/'
percent = 10
fold = 1
with_mask = False  # instance masks, for Mask R-CNN and its like
batch = (1, 4)  # labeled and unlabeled images per process and iteration
num_workers = 4
splits = 'semi_anns/instances_train2017'  # folder and beginning of the files of a split

resize = dict(
    type='RandomResize', scale=[(1333, 400), (1333, 1200)], keep_ratio=True)
flip = dict(type='RandomFlip', prob=0.5)
color = dict(
    type='RandAugment',
    aug_space=[
        [dict(type='ColorTransform')],
        [dict(type='AutoContrast')],
        [dict(type='Equalize')],
        [dict(type='Sharpness')],
        [dict(type='Posterize')],
        [dict(type='Solarize')],
        [dict(type='Color')],
        [dict(type='Contrast')],
        [dict(type='Brightness')]],
    aug_num=1)
geometry = dict(
    type='RandAugment',
    aug_space=[
        [dict(type='Rotate')],
        [dict(type='ShearX')],
        [dict(type='ShearY')],
        [dict(type='TranslateX')],
        [dict(type='TranslateY')]],
    aug_num=1)
load = dict(type='LoadImageFromFile')
sup_view = [
    dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask),
    resize,
    flip,
    color,
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2)),
    dict(type='PackDetInputs')]
weak_view = [resize, flip, dict(type='PackDetInputs')]
strong_view = [
    resize,
    flip,
    dict(type='RandomOrder', transforms=[color, geometry]),
    dict(type='RandomErasing', n_patches=(1, 5), ratio=(0, 0.2)),
    dict(type='PackDetInputs')]

labeled_images = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file=f'{splits}.{fold}@{percent}.json',
    data_prefix=dict(img='train2017/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=[
        dict(type='WeakStrongViews', shared=[load], views=dict(sup=sup_view))])
other_images = dict(
    type='UnlabeledImages',
    source=f'{data_root}{splits}.{fold}@{percent}-unlabeled.json',
    data_root=data_root,
    img_prefix='train2017/',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadEmptyAnnotations')],
            views=dict(unsup_teacher=weak_view, unsup_student=strong_view))])

train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(
        type='LabeledUnlabeledSampler', batch=batch, group_by_aspect=True),
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
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        test_mode=True,
        pipeline=[
            load,
            dict(type='Resize', scale=(1333, 800), keep_ratio=True),
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                           'scale_factor'))]))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/instances_val2017.json',
    metric=['bbox', 'segm'] if with_mask else 'bbox')
test_evaluator = val_evaluator
