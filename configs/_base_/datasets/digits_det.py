# The demo set for detection: a few labeled and many unlabeled scenes of handwritten digits.
labeled = 20  # labeled scenes; fewer are a subset of more
count = 600  # all training scenes; the others are unlabeled
val_count = 100
fold = 0  # which scenes are labeled
seed = 0  # which scenes there are
digits = (0, 1, 2)  # the classes; with others, set num_classes of the model too
clutter = 0.3  # strokes and shapes that are no digits; 1 is much
image_size = 128
with_mask = False  # instance masks, for Mask R-CNN and its like
batch = (8, 8)  # labeled and unlabeled images per process and iteration
num_workers = 0

scenes = dict(
    image_size=image_size, seed=seed, digits=digits, clutter=clutter, cache=True)
affine = dict(
    type='RandomAffine',
    max_rotate_degree=0.0,
    max_shear_degree=0.0,
    max_translate_ratio=0.15,
    scaling_ratio_range=(0.8, 1.2),
    border_val=(127, 127, 127))
# Nothing is flipped: a mirrored digit is no digit.
sup_view = [
    dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask),
    affine,
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDetInputs')]
weak_view = [{**affine, 'scaling_ratio_range': (0.95, 1.05)}, dict(type='PackDetInputs')]
strong_view = [
    affine,
    dict(type='PhotoMetricDistortion'),
    dict(type='ErasePatches', count=(1, 3), size=(0.05, 0.15)),
    dict(type='PackDetInputs')]
# Weak and strong view of one geometry, for methods that compare places.
same_geometry = dict(
    type='WeakStrongViews',
    shared=[dict(type='LoadDigitScene'), dict(type='LoadEmptyAnnotations'), affine],
    views=dict(unsup_teacher=[dict(type='PackDetInputs')], unsup_student=strong_view[1:]))
unerased_view = [affine, dict(type='PhotoMetricDistortion'), dict(type='PackDetInputs')]

labeled_scenes = dict(
    type='DigitScenes',
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
    type='DigitScenes',
    split='unlabeled',
    count=count,
    labeled=labeled,
    fold=fold,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadDigitScene'), dict(type='LoadEmptyAnnotations')],
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
        type='DigitScenes',
        split='val',
        count=val_count,
        test_mode=True,
        pipeline=[
            dict(type='LoadDigitScene'),
            dict(type='Resize', scale=(image_size, image_size), keep_ratio=True),
            # CocoMetric takes the truth from `instances`; no annotation file is needed.
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                           'scale_factor', 'instances'))],
        **scenes))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='CocoMetric',
    metric=['bbox', 'segm'] if with_mask else 'bbox',
    proposal_nums=(1, 10, 100))
test_evaluator = val_evaluator
