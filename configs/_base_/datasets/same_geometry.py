# The views of Unbiased Teacher and Dense Teacher: weak and strong ones differ in their pixels alone, and
# labeled images are in the batch twice. A config says what all views share.
_base_ = './strong_pixels.py'
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
