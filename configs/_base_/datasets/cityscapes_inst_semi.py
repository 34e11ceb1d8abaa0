# Cityscapes for instance masks: as cityscapes_det_semi.py, with the masks of the labeled images. Boxes
# and masks are measured as in COCO, and masks as cityscapesScripts does; that needs
# `pip install cityscapesscripts`.
_base_ = './cityscapes_det_semi.py'

load_masks = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views.sup[0] = load_masks
train_dataloader = dict(dataset=dict(datasets=[labeled_images, _base_.other_images]))

# The official scores are computed from files. `outfile_prefix=None`: teacher and student each write
# into a temporary folder of their own; in one folder the second would overwrite the first.
val_evaluator = [
    dict(
        type='CocoMetric',
        ann_file=_base_.data_root + _base_.val_file,
        metric=['bbox', 'segm'],
        proposal_nums=(1, 10, 100)),
    dict(
        type='CityScapesMetric',
        seg_prefix=_base_.data_root + 'gtFine/val',
        outfile_prefix=None)]
test_evaluator = val_evaluator
