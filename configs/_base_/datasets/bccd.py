# Blood cells (BCCD, photographs of 320x240, 3 classes), a share of the training images labeled.
data_root = 'data/bccd/'
labels = '10'  # percent of the training images that are labeled; 'full': all of them
draws = ('', '_seed1', '_seed2', '_seed3', '_seed4')
draw = ''  # which images are labeled, one of `draws`
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (4, 4)  # in all processes together; the learning rate is for as many
num_workers = 0
all_labels = 'annotations/train_full.json'  # for an oracle, which knows those of the unlabeled images

classes = ('RBC', 'WBC', 'Platelets')
labeled_file = 'annotations/train_full.json' if labels == 'full' else f'annotations/train_labeled_{labels}{draw}.json'
unlabeled_file = 'annotations/train_full.json' if labels == 'full' else f'annotations/train_unlabeled_{labels}{draw}.json'
load = dict(type='LoadImageFromFile')
# Cells have no up and no down.
flips = dict(
    type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal'])
affine = dict(
    type='RandomAffine',
    max_rotate_degree=0.0,
    max_shear_degree=0.0,
    max_translate_ratio=0.1,
    scaling_ratio_range=(0.9, 1.1),
    border_val=(127, 127, 127))
pack = dict(type='PackDetInputs')
sup_view = [
    dict(type='LoadAnnotations', with_bbox=True), flips, affine,
    dict(type='PhotoMetricDistortion'), pack]
weak_view = [flips, pack]
strong_view = [
    flips, affine,
    dict(
        type='StrongPhotometric',
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
        hue=0.05,
        gray_prob=0.1,
        sigma=(0.1, 1.0)),
    dict(type='ErasePatches', count=(1, 3), size=(0.05, 0.15)), pack]

labeled_images = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file=labeled_file,
    data_prefix=dict(img='images/'),
    metainfo=dict(classes=classes),
    pipeline=[dict(type='WeakStrongViews', shared=[load], views=dict(sup=sup_view))])
unlabeled_images = dict(
    type='UnlabeledImages',
    source=unlabeled_file,
    data_root=data_root,
    img_prefix='images',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadEmptyAnnotations')],
            views=dict(unsup_teacher=weak_view, unsup_student=strong_view))])
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
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='Resize', scale=(320, 240), keep_ratio=True),
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/test.json',
    metric='bbox',
    classwise=True,
    proposal_nums=(1, 10, 100))
test_evaluator = val_evaluator
