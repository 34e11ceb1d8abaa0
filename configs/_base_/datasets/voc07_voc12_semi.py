# VOC07 trainval (5,011 images) labeled, VOC12 trainval (11,540) unlabeled, VOC07 test (4,952) for
# evaluation: VOC's own AP50 and COCO's AP50 and AP50:95.
_base_ = './common_det.py'
data_root = 'data/VOCdevkit/'
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (8, 8)  # in all processes together; the learning rate is for as many

resize = dict(
    type='RandomResize', scale=[(1000, 480), (1000, 800)], keep_ratio=True)
test_resize = dict(type='Resize', scale=(1000, 600), keep_ratio=True)
sup_view = [
    dict(type='LoadAnnotations', with_bbox=True),
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
    type='VOCDataset',
    data_root=data_root,
    ann_file='VOC2007/ImageSets/Main/trainval.txt',
    data_prefix=dict(sub_data_root='VOC2007/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=[
        dict(type='WeakStrongViews', shared=[_base_.load], views=dict(sup=sup_view))])
other_images = dict(
    type='UnlabeledImages',
    source=data_root + 'VOC2012/ImageSets/Main/trainval.txt',
    data_root=data_root,
    img_prefix='VOC2012/JPEGImages/',
    img_suffix='.jpg',
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
# VOCMetric takes the truth from the annotations, CocoMetric from `instances`.
test_end = [
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor',
                   'instances'))]
val_dataloader = dict(
    dataset=dict(
        type='VOCDataset',
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        pipeline=[_base_.load, test_resize, *test_end]))
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='VOCMetric', metric='mAP', eval_mode='11points'),
    dict(type='CocoMetric', metric='bbox', proposal_nums=(1, 10, 100))]
test_evaluator = val_evaluator
