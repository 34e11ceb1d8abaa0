# The demo set for change detection: pairs of scenes in which a digit appeared or disappeared.
labeled = 4  # labeled pairs; fewer are a subset of more
count = 600  # all training pairs; the others are unlabeled
val_count = 100
fold = 0  # which pairs are labeled
seed = 0  # which scenes there are
digits = (0, 3)  # which digits come and go
objects = (1, 2)  # digits that both images of a pair show
clutter = 0.5  # strokes and shapes that are no digits; 1 is much
image_size = 64
batch = (8, 8)  # labeled and unlabeled pairs per process and iteration
num_workers = 0

scenes = dict(
    image_size=image_size,
    seed=seed,
    digits=digits,
    objects=objects,
    clutter=clutter,
    cache=True)
# Both images are moved alike; their colors change each for itself.
geometry = [
    dict(
        type='RandomResize',
        scale=(image_size, image_size),
        ratio_range=(0.75, 1.5),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=(image_size, image_size)),
    dict(type='RandomFlip', prob=0.5)]
colors = dict(type='PerImage', transforms=[dict(type='PhotoMetricDistortion')])
pack = dict(type='PackSegInputs')
sup_view = [*geometry, colors, pack]
# The teacher sees the pair as it is; the student another size and part of it in other colors.
weak_view = [pack]
strong_view = [*geometry, colors, pack]

labeled_pairs = dict(
    type='DigitScenePairs',
    split='labeled',
    count=count,
    labeled=labeled,
    fold=fold,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadDigitPair')],
            views=dict(sup=sup_view))],
    **scenes)
unlabeled_pairs = dict(
    type='DigitScenePairs',
    split='unlabeled',
    count=count,
    labeled=labeled,
    fold=fold,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadDigitPair')],
            views=dict(unsup_teacher=weak_view, unsup_student=strong_view))],
    **scenes)

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
        type='DigitScenePairs',
        split='val',
        count=val_count,
        test_mode=True,
        pipeline=[dict(type='LoadDigitPair'), dict(type='PackSegInputs')],
        **scenes))
test_dataloader = val_dataloader
