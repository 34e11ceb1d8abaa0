# COCO as label maps of 81 classes (background and 80 things), few of its 118,287 images labeled: 1/512,
# 1/256, 1/128, 1/64 or 1/32, as in UniMatch V2. docs/datasets.md says how the label maps and lists are
# made, or published ones used.
_base_ = './crops_of_own_size.py'
data_root = 'data/coco/'
split = '1_64'
fold = 1
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (16, 16)  # in all processes together; the learning rate is for as many
labeled_list = None  # a published list; None: the file of `ssdet split`
unlabeled_list = None

lists = f'{data_root}semi_lists/train2017.{fold}@{split}'
maps = dict(type='LabeledMasks', images=data_root, classes='coco')
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(
        datasets=[
            dict(maps, source=labeled_list or f'{lists}.txt', pipeline=_base_.labeled_views),
            dict(
                type='UnlabeledImages',
                source=unlabeled_list or f'{lists}-unlabeled.txt',
                data_root=data_root,
                pipeline=_base_.other_views)]))
val_dataloader = dict(dataset=dict(maps, source=data_root + 'masks/val2017.txt'))
test_dataloader = val_dataloader

# 20 passes over the unlabeled images by 4 processes with 4 of them each; see cityscapes_semi.py.
labeled_count = {'1_512': 232, '1_256': 463, '1_128': 925, '1_64': 1849, '1_32': 3697}[split]
one_pass = {'4x4': -(-(118287 - labeled_count) // 4) // 4}
iterations = 20 * one_pass['4x4']
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))

# All 5,000 images of val2017, whole; the encoder resizes them to multiples of its patch.
chosen = f'list {labeled_list}' if labeled_list else f'{split} fold {fold}'
protocol_name = dict(
    data=f'COCO {chosen}', resolution='val, original size, single scale')
val_evaluator = dict(protocol=protocol_name)
test_evaluator = val_evaluator
