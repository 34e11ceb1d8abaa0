# What Cityscapes and VOC 2012 share for segmentation: views, sampler, loaders, metrics. A config of a
# data set gives the lists of its images and the size of its views.
num_workers = 4

load = dict(type='LoadImageFromFile')
flip = dict(type='RandomFlip', prob=0.5)
strong = dict(type='StrongPhotometric')
pack = dict(type='PackSegInputs')
one_of_six = dict(  # sizes, as CPS draws them
    type='RandomChoice',
    transforms=[
        [dict(type='Resize', scale_factor=factor, keep_ratio=True)]
        for factor in (0.5, 0.75, 1.0, 1.5, 1.75, 2.0)])

train_dataloader = dict(
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler'),
    dataset=dict(type='LabeledUnlabeledDataset'))
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        test_mode=True, pipeline=[load, dict(type='LoadAnnotations'), pack]))
test_dataloader = val_dataloader

# The boundary F-score takes a second for an image: at tests only.
val_evaluator = dict(type='SegmentationMetric', boundary=None)
test_evaluator = dict(type='SegmentationMetric', boundary=0.0075)
