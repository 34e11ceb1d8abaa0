# The demo set with instance masks, for Mask R-CNN and its like: boxes and masks are measured.
_base_ = './digits_det.py'

side = _base_.image_size
# RandomAffine knows no masks: labeled scenes are resized and cropped.
labeled_scenes = {
    **_base_.labeled_scenes,
    'pipeline': [
        dict(
            type='WeakStrongViews',
            shared=[dict(type='LoadDigitScene')],
            views=dict(sup=[
                dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
                dict(type='RandomResize', scale=(side, side), ratio_range=(0.8, 1.2), keep_ratio=True),
                dict(type='RandomCrop', crop_size=(side, side)),
                dict(type='PhotoMetricDistortion'),
                dict(type='PackDetInputs')]))]}
train_dataloader = dict(
    dataset=dict(datasets=[labeled_scenes, _base_.unlabeled_scenes]))
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
