# What COCO and VOC share for detection: the augmentations of Soft Teacher, the sampler, the loaders.
num_workers = 4

load = dict(type='LoadImageFromFile')
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

train_dataloader = dict(
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', group_by_aspect=True),
    dataset=dict(type='LabeledUnlabeledDataset'))
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True))
test_dataloader = val_dataloader
