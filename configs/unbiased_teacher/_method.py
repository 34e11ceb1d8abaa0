# Unbiased Teacher: a focal loss, pseudo boxes that teach classes alone, and labeled images that are
# in the batch twice, weak and strong. Views differ in their pixels: a config says what all share.
_base_ = '../_base_/datasets/strong_pixels.py'
focal = dict(type='SoftmaxFocalLoss', gamma=1.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9996),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='TaskWeightHook', box=0.0)]

branches = ('sup', 'sup_2', 'unsup_teacher', 'unsup_student')
labels = dict(type='LoadAnnotations', with_bbox=True)
no_labels = dict(type='LoadEmptyAnnotations')
strong = [_base_.strong_color, *_base_.noise_patches]
kept = dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2))
pack = dict(type='PackDetInputs')
labeled_views = dict(
    type='WeakStrongViews',
    branch_field=branches,
    views=dict(sup=[kept, pack], sup_2=[*strong, kept, pack]))
unlabeled_views = dict(
    type='WeakStrongViews',
    branch_field=branches,
    views=dict(unsup_teacher=[pack], unsup_student=[*strong, pack]))

# The rate is never lowered.
constant_rate = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000)]
