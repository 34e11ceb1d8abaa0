# LEVIR-CD with few labels: tiles of 256 pixels, cut without overlap from its pairs of 1,024 pixels.
# data/LEVIR-CD256/{train,val,test}/{A,B,label}/NAME.png; 255 in a label map is a change.
# `ssdet split` writes the lists (see configs/change_detection/README.md).
data_root = 'data/LEVIR-CD256/'
percent = 5  # 5, 10, 20, 40
fold = 1
crop_size = (256, 256)  # also `size` of the model's data preprocessor
batch = (8, 8)  # labeled and unlabeled pairs per process and iteration
total_batch = (8, 8)  # in all processes together; the learning rate is for as many
num_workers = 4
labeled_list = None  # a published list; None: the file of `ssdet split`
unlabeled_list = None

load = dict(type='LoadImagePair')
# Both images are moved alike; their colors change each for itself.
geometry = [
    dict(
        type='RandomResize',
        scale=crop_size,
        ratio_range=(0.8, 1.2),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5)]
strong = dict(type='PerImage', transforms=[dict(type='StrongPhotometric', gray_prob=0.0)])
pack = dict(type='PackSegInputs')

pairs = dict(type='ImagePairs', values=(0, 255))
labeled_pairs = dict(
    data_root=f'{data_root}train',
    only=labeled_list or f'{data_root}semi_lists/train.{fold}@{percent}.txt',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadMask'), *geometry],
            views=dict(sup=[pack]))],
    **pairs)
# The weak and the strong view are the same crop: their labels need no transfer.
unlabeled_pairs = dict(
    data_root=f'{data_root}train',
    only=unlabeled_list
    or f'{data_root}semi_lists/train.{fold}@{percent}-unlabeled.txt',
    labeled=False,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, *geometry],
            views=dict(unsup_teacher=[pack], unsup_student=[strong, pack]))],
    **pairs)

train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=batch),
    dataset=dict(
        type='LabeledUnlabeledDataset',
        datasets=[labeled_pairs, unlabeled_pairs]))
val_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_root=f'{data_root}val',
        test_mode=True,
        pipeline=[load, dict(type='LoadMask'), pack],
        **pairs))
test_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_root=f'{data_root}test',
        test_mode=True,
        pipeline=[load, dict(type='LoadMask'), pack],
        **pairs))

# How long a training is, the split decides: 80 passes over the unlabeled pairs, 8 at a time.
unlabeled_count = {5: 6764, 10: 6408, 20: 5696, 40: 4272}.get(percent, 7120)
iterations = 80 * (unlabeled_count // 8)
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))

# What a number of this config must be quoted with; printed above every table.
lists = f'list {labeled_list}' if labeled_list else f'{percent} % fold {fold}'
val_evaluator = dict(
    type='SegmentationMetric',
    boundary=None,
    protocol=dict(data=f'LEVIR-CD {lists}', resolution='val tiles of 256'))
test_evaluator = dict(
    type='SegmentationMetric',
    boundary=0.0075,
    protocol=dict(data=f'LEVIR-CD {lists}', resolution='test tiles of 256'))
