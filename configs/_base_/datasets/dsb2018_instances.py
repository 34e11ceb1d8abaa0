# Each nucleus with its mask (DSB2018, 256x256), a share of the training images labeled.
data_root = 'data/dsb2018/'
labels = '10'  # percent of the training images that are labeled (10, 5); 'full': all of them
draws = ('', )  # there is one choice of labeled images
draw = ''
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (4, 4)  # in all processes together; the learning rate is for as many
num_workers = 0
all_labels = 'annotations/train_full.json'  # for an oracle, which knows those of the unlabeled images
metric = 'coco/segm_mAP'  # what the table of the benchmark shows

classes = ('nucleus', )
crop_size = (224, 224)
labeled_file = 'annotations/train_full.json' if labels == 'full' else f'annotations/train_labeled_{labels}{draw}.json'
unlabeled_file = 'annotations/train_full.json' if labels == 'full' else f'annotations/train_unlabeled_{labels}{draw}.json'
load = dict(type='LoadImageFromFile')
flips = dict(
    type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal'])
geometry = [
    dict(type='RandomResize', scale=(256, 256), ratio_range=(0.7, 1.4), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, allow_negative_crop=True), flips]
pack = dict(type='PackDetInputs')
labeled_images = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file=labeled_file,
    data_prefix=dict(img='images/'),
    metainfo=dict(classes=classes),
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadAnnotations', with_bbox=True, with_mask=True)],
            views=dict(sup=[*geometry, dict(type='PhotoMetricDistortion'), pack]))])
unlabeled_images = dict(
    type='UnlabeledImages',
    source=unlabeled_file,
    data_root=data_root,
    img_prefix='images',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadEmptyAnnotations')],
            views=dict(
                unsup_teacher=[flips, pack],
                unsup_student=[
                    *geometry, dict(type='StrongPhotometric'),
                    dict(type='ErasePatches', count=(1, 4), size=(0.05, 0.2)), pack]))])
train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=batch),
    dataset=dict(type='LabeledUnlabeledDataset', datasets=[labeled_images, unlabeled_images]))
val_dataloader = dict(
    batch_size=4,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/test.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=classes),
        test_mode=True,
        pipeline=[
            load,
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='Resize', scale=(256, 256), keep_ratio=True),
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/test.json',
    metric=['bbox', 'segm'],
    proposal_nums=(1, 10, 100))
test_evaluator = val_evaluator
