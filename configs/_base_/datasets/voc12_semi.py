# VOC 2012 with few labels. The two protocols are never compared with each other:
#   classic: labeled images from VOC's own 1,464; all others of the 10,582 are unlabeled
#   blender: labeled images from all 10,582, most of them annotated by SBD
# docs/datasets.md says how the lists of a split are made, or published ones used.
_base_ = './common_seg.py'
data_root = 'data/VOCdevkit/VOC2012/'
protocol = 'classic'
split = '1_16'  # 1_16, 1_8, 1_4, 1_2; classic also 1_1
fold = 1
crop_size = (321, 321)  # also `size` of the model's data preprocessor
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (8, 8)  # in all processes together; the learning rate is for as many
labeled_list = None  # a published list; None: the file of `ssdet split`
unlabeled_list = None

lists = f'{data_root}semi_lists/{protocol}.{fold}@{split}'
geometry = [
    dict(type='RandomResize', scale=(500, 500), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size), _base_.flip]
labeled_images = dict(
    type='LabeledMasks',
    source=labeled_list or f'{lists}.txt',
    images=data_root,
    classes='voc',
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
        type='PascalVOCDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt'))
test_dataloader = val_dataloader

# How long a training is, the split decides. one_pass['4x2']: iterations of a pass over the unlabeled
# images by 4 processes with 2 of them each, as the published code counts: its sampler gives every
# process equally many, and an incomplete last batch is dropped.
unlabeled_count = dict(
    classic={'1_16': 10490, '1_8': 10399, '1_4': 10216, '1_2': 9850, '1_1': 9118},
    blender={'1_16': 9920, '1_8': 9259, '1_4': 7936, '1_2': 5291})[protocol].get(split, 10582)
one_pass = {
    f'{processes}x{images}': -(-unlabeled_count // processes) // images
    for processes, images in ((4, 2), (2, 4), (1, 8), (4, 4), (2, 8), (1, 16))}
iterations = 80 * one_pass['4x2']
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))

# What a number of this config must be quoted with; printed above every table. The official val set:
# 1,449 images at their own size, one scale, no flip.
protocol_name = dict(
    data=f'VOC12 {protocol} ' + (f'list {labeled_list}' if labeled_list else f'{split} fold {fold}'),
    resolution='val, original size, single scale')
val_evaluator = dict(protocol=protocol_name)
test_evaluator = val_evaluator
