# Cityscapes with few of the 2,975 fine annotations: 1/16, 1/8, 1/4, 1/2. docs/datasets.md says how
# the lists of a split are made, or published ones used.
_base_ = './common_seg.py'
data_root = 'data/cityscapes/'
split = '1_16'
fold = 1
crop_size = (801, 801)  # also `size` of the model's data preprocessor
batch = (2, 2)  # labeled and unlabeled images per process and iteration
total_batch = (8, 8)  # in all processes together; the learning rate is for as many
labeled_list = None  # a published list; None: the file of `ssdet split`
unlabeled_list = None

lists = f'{data_root}semi_lists/train.{fold}@{split}'
geometry = [
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size), _base_.flip]
labeled_images = dict(
    type='LabeledMasks',
    source=labeled_list or f'{lists}.txt',
    images=data_root,
    classes='cityscapes',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[_base_.load, dict(type='LoadMask'), *geometry],
            views=dict(sup=[_base_.pack]))])
# The weak and the strong view are the same crop: their labels need no transfer.
other_images = dict(
    type='UnlabeledImages',
    source=unlabeled_list or f'{lists}-unlabeled.txt',
    data_root=data_root,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[_base_.load, *geometry],
            views=dict(unsup_teacher=[_base_.pack], unsup_student=[_base_.strong, _base_.pack]))])

train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
val_dataloader = dict(
    dataset=dict(
        type='CityscapesDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='leftImg8bit/val', seg_map_path='gtFine/val')))
test_dataloader = val_dataloader

# How long a training is, the split decides. one_pass['4x2']: iterations of a pass over the unlabeled
# images by 4 processes with 2 of them each, as the published code counts: its sampler gives every
# process equally many, and an incomplete last batch is dropped.
unlabeled_count = {
    '1_30': 2875, '1_16': 2789, '1_8': 2603, '1_4': 2231, '1_2': 1487}.get(split, 2975)
one_pass = {
    f'{processes}x{images}': -(-unlabeled_count // processes) // images
    for processes, images in ((4, 2), (2, 4), (8, 2), (4, 4), (1, 16))}
iterations = 240 * one_pass['4x2']
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))

# What a number of this config must be quoted with; printed above every table, with the windows of the
# model's test_cfg: as large as the crops, by two thirds of them further, the last one moved back to
# the border of the image.
protocol_name = dict(
    data='Cityscapes ' + (f'list {labeled_list}' if labeled_list else f'{split} fold {fold}'),
    resolution='val, 1024x2048, single scale')
val_evaluator = dict(protocol=protocol_name)
test_evaluator = val_evaluator
