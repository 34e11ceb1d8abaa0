# COCO, train2017 with 1, 2, 5 or 10 % labeled, with the masks of the labeled instances.
_base_ = './coco_semi.py'

sup_view = [
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    *_base_.sup_view[1:]]
labeled_images = {
    **_base_.labeled_images,
    'pipeline': [
        dict(type='WeakStrongViews', shared=[_base_.load], views=dict(sup=sup_view))]}
train_dataloader = dict(
    dataset=dict(datasets=[labeled_images, _base_.other_images]))
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
