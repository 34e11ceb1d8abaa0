# VOC07 trainval (5,011 images) labeled, VOC12 trainval (11,540) unlabeled, VOC07 test (4,952) for
# evaluation: VOC's own AP50 and COCO's AP50 and AP50:95.
data_root = 'data/VOCdevkit/'
batch = (4, 4)  # labeled and unlabeled images per process and iteration
num_workers = 4

resize = dict(
    type='RandomResize', scale=[(1000, 480), (1000, 800)], keep_ratio=True)
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
    dict(type='LoadAnnotations', with_bbox=True),
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

train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(
        type='LabeledUnlabeledSampler', batch=batch, group_by_aspect=True),
    dataset=dict(
        type='LabeledUnlabeledDataset',
        datasets=[
            dict(
                type='VOCDataset',
                data_root=data_root,
                ann_file='VOC2007/ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root='VOC2007/'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=[
                    dict(
                        type='WeakStrongViews',
                        shared=[load],
                        views=dict(sup=sup_view))]),
            dict(
                type='UnlabeledImages',
                source=data_root + 'VOC2012/ImageSets/Main/trainval.txt',
                data_root=data_root,
                img_prefix='VOC2012/JPEGImages/',
                img_suffix='.jpg',
                pipeline=[
                    dict(
                        type='WeakStrongViews',
                        shared=[load, dict(type='LoadEmptyAnnotations')],
                        views=dict(
                            unsup_teacher=weak_view,
                            unsup_student=strong_view))])]))
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VOCDataset',
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
        pipeline=[
            load,
            dict(type='Resize', scale=(1000, 600), keep_ratio=True),
            # VOCMetric takes the truth from the annotations, CocoMetric from `instances`.
            dict(type='LoadAnnotations', with_bbox=True),
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                           'scale_factor', 'instances'))]))
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='VOCMetric', metric='mAP', eval_mode='11points'),
    dict(type='CocoMetric', metric='bbox')]
test_evaluator = val_evaluator
