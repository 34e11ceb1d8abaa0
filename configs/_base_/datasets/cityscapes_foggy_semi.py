# Cityscapes (2,975 clear images, all labeled) -> Foggy Cityscapes (the same streets in fog, unlabeled),
# evaluated on its 500 validation images; AP at an overlap of 50 % is what papers report. Short sides of
# 600 are usual (recalled); augmentations are those of the other data sets here.
_base_ = './cityscapes_det_semi.py'
beta = 0.02  # how dense the fog is; 0.005 and 0.01 exist, too

resize = dict(type='Resize', scale=(1200, 600), keep_ratio=True)
labeled_images = {
    **_base_.labeled_images,
    'ann_file': 'annotations/instancesonly_filtered_gtFine_train.json'}
labeled_images['pipeline'][0].views.sup[1] = resize
other_images = {
    **_base_.other_images,
    'source': f'leftImg8bit_foggy/train/**/*_leftImg8bit_foggy_beta_{beta}.png',
    'img_prefix': ''}
other_images['pipeline'][0].views.unsup_teacher[0] = resize
other_images['pipeline'][0].views.unsup_student[0] = resize

train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))
val_dataloader = dict(
    dataset=dict(
        type='FoggyCityscapes',
        beta=beta,
        data_prefix=dict(img='leftImg8bit_foggy/val/'),
        pipeline=[_base_.load, resize, _base_.pack]))
test_dataloader = val_dataloader
