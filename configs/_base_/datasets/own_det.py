# Your own data for detection: COCO annotations for the labeled images, a folder for the others.
# Set the variables here, in a copy, or on the command line: --cfg-options labeled=... unlabeled=...
# `ssdet init` writes a config of these views for data of any format.
data_root = 'data/own/'
labeled = 'labeled.json'  # COCO annotations of the labeled images
unlabeled = 'unlabeled/'  # folder, glob, list file or COCO json; its annotations are never read
unlabeled_prefix = ''  # where the files named in an unlabeled list or COCO json lie
val = 'val.json'
images = 'images/'  # where the files named in the two COCO files lie
classes = ('object', )  # names as in the annotations
image_scale = (1333, 800)  # longer and shorter side
with_mask = False  # learn outlines too: for Mask R-CNN and its like
batch = (2, 2)  # labeled and unlabeled images per process and iteration
num_workers = 2

labeled_source = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file=labeled,
    data_prefix=dict(img=images),
    metainfo=dict(classes=classes))
unlabeled_source = dict(
    type='UnlabeledImages',
    source=unlabeled,
    data_root=data_root,
    img_prefix=unlabeled_prefix)
val_source = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file=val,
    data_prefix=dict(img=images),
    metainfo=dict(classes=classes))

load_labels = dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask)
resize = dict(type='RandomResize', scale=image_scale, ratio_range=(0.6, 1.2), keep_ratio=True)
flip = dict(type='RandomFlip', prob=0.5)
sup_view = [
    load_labels, resize, flip,
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDetInputs')]
weak_view = [resize, flip, dict(type='PackDetInputs')]
strong_view = [
    resize, flip,
    dict(type='StrongPhotometric'),
    dict(type='ErasePatches', count=(1, 4), size=(0.0, 0.2)),
    dict(type='PackDetInputs')]

labeled_images = dict(
    filter_cfg=dict(filter_empty_gt=False),
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadImageFromFile')],
            views=dict(sup=sup_view))],
    **labeled_source)
unlabeled_images = dict(
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadImageFromFile')],
            views=dict(unsup_teacher=weak_view, unsup_student=strong_view))],
    **unlabeled_source)

train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=batch),
    dataset=dict(
        type='LabeledUnlabeledDataset', datasets=[labeled_images, unlabeled_images]))
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
            load_labels,
            dict(
                type='PackDetInputs',
                meta_keys=(
                    'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances'))],
        **val_source))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + val,
    metric=['bbox', 'segm'] if with_mask else 'bbox',
    format_only=False)
test_evaluator = val_evaluator
