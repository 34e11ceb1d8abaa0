# COCO, train2017 with 1, 2, 5 or 10 % labeled, as in STAC and Soft Teacher. docs/datasets.md says
# how the files of a split are made, or published ones used.
_base_ = './common_det.py'
data_root = 'data/coco/'
percent = 10
fold = 1
with_mask = False  # instance masks, for Mask R-CNN and its like
batch = (1, 4)  # labeled and unlabeled images per process and iteration
total_batch = (8, 32)  # in all processes together; the learning rate is for as many
splits = 'semi_anns/instances_train2017'  # folder and beginning of the files of a split

resize = dict(
    type='RandomResize', scale=[(1333, 400), (1333, 1200)], keep_ratio=True)
test_resize = dict(type='Resize', scale=(1333, 800), keep_ratio=True)
sup_view = [
    dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask),
    resize,
    _base_.flip,
    _base_.color,
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2)),
    dict(type='PackDetInputs')]
weak_view = [resize, _base_.flip, dict(type='PackDetInputs')]
strong_view = [
    resize,
    _base_.flip,
    dict(type='RandomOrder', transforms=[_base_.color, _base_.geometry]),
    dict(type='RandomErasing', n_patches=(1, 4), ratio=(0, 0.2)),
    dict(type='PackDetInputs')]

labeled_images = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file=f'{splits}.{fold}@{percent}.json',
    data_prefix=dict(img='train2017/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=[
        dict(type='WeakStrongViews', shared=[_base_.load], views=dict(sup=sup_view))])
other_images = dict(
    type='UnlabeledImages',
    source=f'{data_root}{splits}.{fold}@{percent}-unlabeled.json',
    data_root=data_root,
    img_prefix='train2017/',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[_base_.load, dict(type='LoadEmptyAnnotations')],
            views=dict(unsup_teacher=weak_view, unsup_student=strong_view))])
# The labeled images without augmentation, where a hook measures something on them.
plain_images = dict(
    labeled_images,
    pipeline=[
        _base_.load,
        dict(type='LoadAnnotations', with_bbox=True),
        test_resize,
        dict(type='PackDetInputs')])

train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
val_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        pipeline=[
            _base_.load,
            test_resize,
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                           'scale_factor'))]))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/instances_val2017.json',
    metric=['bbox', 'segm'] if with_mask else 'bbox',
    # As pycocotools counts, 100 detections of a class in an image; MMDetection's AP50 has 1,000.
    proposal_nums=(1, 10, 100))
test_evaluator = val_evaluator
