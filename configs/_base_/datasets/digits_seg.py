# The demo set for semantic segmentation: background and digits.
labeled = 8  # labeled scenes; fewer are a subset of more
count = 600  # all training scenes; the others are unlabeled
val_count = 100
fold = 0  # which scenes are labeled
seed = 0  # which scenes there are
digits = (0, 3)  # the classes beside the background; with others, set num_classes of the model
clutter = 0.5  # strokes and shapes that are no digits; 1 is much
image_size = 64
batch = (8, 8)  # labeled and unlabeled images per process and iteration
num_workers = 0

scenes = dict(
    image_size=image_size, seed=seed, digits=digits, clutter=clutter, cache=True)
crop_size = (image_size, image_size)  # also `size` of the model's data preprocessor
# Nothing is flipped: a mirrored digit is no digit.
geometry = [
    dict(
        type='RandomResize',
        scale=(image_size, image_size),
        ratio_range=(0.75, 1.5),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size)]
sup_view = [*geometry, dict(type='PhotoMetricDistortion'), dict(type='PackSegInputs')]
# The teacher sees the scene as it is; the student another size and part of it in other colors.
weak_view = [dict(type='PackSegInputs')]
strong_view = [
    *geometry,
    dict(type='PhotoMetricDistortion'),
    dict(type='ErasePatches', count=(1, 3), size=(0.05, 0.15)),
    dict(type='PackSegInputs')]

labeled_scenes = dict(
    type='DigitScenesSeg',
    split='labeled',
    count=count,
    labeled=labeled,
    fold=fold,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadDigitScene')],
            views=dict(sup=sup_view))],
    **scenes)
unlabeled_scenes = dict(
    type='DigitScenesSeg',
    split='unlabeled',
    count=count,
    labeled=labeled,
    fold=fold,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadDigitScene')],
            views=dict(unsup_teacher=weak_view, unsup_student=strong_view))],
    **scenes)

train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=batch),
    dataset=dict(
        type='LabeledUnlabeledDataset',
        datasets=[labeled_scenes, unlabeled_scenes]))
val_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='DigitScenesSeg',
        split='val',
        count=val_count,
        test_mode=True,
        pipeline=[dict(type='LoadDigitScene'), dict(type='PackSegInputs')],
        **scenes))
test_dataloader = val_dataloader

val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
