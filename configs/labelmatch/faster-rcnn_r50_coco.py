# LabelMatch for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = ['./_method.py', '../_base_/datasets/coco_semi.py']
batch = (2, 2)  # labeled and unlabeled images per process and iteration
total_batch = (16, 16)

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views = _base_.labeled_views
other_images = _base_.other_images
other_images.pipeline[0].shared.append(_base_.mirrored)
other_images.pipeline[0].views = _base_.unlabeled_views
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
