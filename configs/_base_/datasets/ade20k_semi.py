# ADE20K with few of its 20,210 annotations: 1/64, 1/32, 1/16, 1/8, 1/4 or 1/2, as UniMatch V2 counts
# them. docs/datasets.md says how the lists of a split are made, or published ones used.
_base_ = './crops_of_own_size.py'
data_root = 'data/ade/ADEChallengeData2016/'
split = '1_16'
fold = 1
batch = (2, 2)  # labeled and unlabeled images per process and iteration
total_batch = (8, 8)  # in all processes together; the learning rate is for as many
labeled_list = None  # a published list; None: the file of `ssdet split`
unlabeled_list = None

labeled_count = {
    '1_64': 316, '1_32': 631, '1_16': 1263, '1_8': 2526, '1_4': 5052, '1_2': 10105}[split]
lists = f'{data_root}semi_lists/training.{fold}@{labeled_count}images'
labeled_images = dict(
    type='LabeledMasks',
    source=data_root,
    format='ade',  # 0 is no class, 1 is the first one
    only=labeled_list or f'{lists}.txt',
    pipeline=_base_.labeled_views)
other_images = dict(
    type='UnlabeledImages',
    source=unlabeled_list or f'{lists}-unlabeled.txt',
    data_root=data_root,
    pipeline=_base_.other_views)

train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
val_dataloader = dict(
    dataset=dict(
        type='ADE20KDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation')))
test_dataloader = val_dataloader

# 60 passes over the unlabeled images by 4 processes with 2 of them each; see cityscapes_semi.py.
one_pass = {'4x2': -(-(20210 - labeled_count) // 4) // 2}
iterations = 60 * one_pass['4x2']
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))

# Whole images; the encoder resizes them to multiples of its patch, and its labels back.
protocol_name = dict(
    data='ADE20K ' + (f'list {labeled_list}' if labeled_list else f'{split} fold {fold}'),
    resolution='val, original size, single scale')
val_evaluator = dict(protocol=protocol_name)
test_evaluator = val_evaluator
