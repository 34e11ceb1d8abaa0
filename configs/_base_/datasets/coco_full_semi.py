# COCO, all of train2017 labeled and the 123,403 images of unlabeled2017 besides.
_base_ = './coco_semi.py'

labeled_images = {
    **_base_.labeled_images, 'ann_file': 'annotations/instances_train2017.json'}
other_images = {
    **_base_.other_images,
    'source': _base_.data_root + 'annotations/image_info_unlabeled2017.json',
    'img_prefix': 'unlabeled2017/'}
train_dataloader = dict(
    dataset=dict(datasets=[labeled_images, other_images]))
