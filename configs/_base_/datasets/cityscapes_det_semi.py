# Cityscapes for boxes, 8 classes, a share of the 2,975 training images labeled. docs/datasets.md says
# how the files are made. Sizes are MMDetection's; the shares are ours, there is no usual protocol.
_base_ = './coco_semi.py'
data_root = 'data/cityscapes/'
percent = 10
fold = 1
batch = (1, 1)  # labeled and unlabeled images per process and iteration
total_batch = (8, 8)  # in all processes together; the learning rate is for as many

splits = 'semi_anns/instancesonly_filtered_gtFine_train'
val_file = 'annotations/instancesonly_filtered_gtFine_val.json'
resize = dict(type='RandomResize', scale=[(2048, 800), (2048, 1024)], keep_ratio=True)
test_resize = dict(type='Resize', scale=(2048, 1024), keep_ratio=True)
sup_view = [_base_.sup_view[0], resize, *_base_.sup_view[2:]]
weak_view = [resize, *_base_.weak_view[1:]]
strong_view = [resize, *_base_.strong_view[1:]]

labeled_images = dict(
    type='CityscapesDataset',
    data_root=data_root,
    ann_file=f'{splits}.{fold}@{percent}.json',
    data_prefix=dict(img='leftImg8bit/train/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=[
        dict(type='WeakStrongViews', shared=[_base_.load], views=dict(sup=sup_view))])
other_images = dict(
    type='UnlabeledImages',
    source=f'{data_root}{splits}.{fold}@{percent}-unlabeled.json',
    data_root=data_root,
    img_prefix='leftImg8bit/train/',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[_base_.load, dict(type='LoadEmptyAnnotations')],
            views=dict(unsup_teacher=weak_view, unsup_student=strong_view))])

train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
pack = _base_.val_dataloader.dataset.pipeline[-1]
val_dataloader = dict(
    dataset=dict(
        type='CityscapesDataset',
        data_root=data_root,
        ann_file=val_file,
        data_prefix=dict(img='leftImg8bit/val/'),
        pipeline=[_base_.load, test_resize, pack]))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=data_root + val_file)
test_evaluator = val_evaluator
