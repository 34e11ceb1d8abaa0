# What ADE20K and COCO share for segmentation: crops of 518 from images at multiples of their own size,
# which differs a lot, as UniMatch V2 cuts them.
_base_ = './common_seg.py'
crop_size = (518, 518)  # also `size` of the model's data preprocessor

geometry = [
    dict(type='RandomScale', ratio_range=(0.5, 2.0)),
    dict(type='RandomCrop', crop_size=crop_size), _base_.flip]
labeled_views = [
    dict(
        type='WeakStrongViews',
        shared=[_base_.load, dict(type='LoadMask'), *geometry],
        views=dict(sup=[_base_.pack]))]
# The weak and the strong view are the same crop: their labels need no transfer.
other_views = [
    dict(
        type='WeakStrongViews',
        shared=[_base_.load, *geometry],
        views=dict(unsup_teacher=[_base_.pack], unsup_student=[_base_.strong, _base_.pack]))]
