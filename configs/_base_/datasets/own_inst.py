# As own_det.py, with the outlines of the labeled objects (`ssdet init` sets `with_mask` instead).
_base_ = './own_det.py'

load_labels = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
labeled_images = dict(
    _base_.labeled_images,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadImageFromFile')],
            views=dict(sup=[load_labels, *_base_.sup_view[1:]]))])
train_dataloader = dict(
    dataset=dict(datasets=[labeled_images, _base_.unlabeled_images]))
val_pipeline = _base_.val_dataloader.dataset.pipeline
val_dataloader = dict(
    dataset=dict(pipeline=[*val_pipeline[:2], load_labels, *val_pipeline[3:]]))
test_dataloader = val_dataloader
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
