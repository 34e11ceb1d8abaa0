# LabelMatch for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = ['./_method.py', '../_base_/datasets/voc07_voc12_semi.py']
batch = (2, 2)  # labeled and unlabeled images per process and iteration
total_batch = (16, 16)

model = dict(detector=dict(roi_head=dict(bbox_head=dict(num_classes=20))))
optim_wrapper = dict(optimizer=dict(lr=0.005))

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views = _base_.labeled_views
other_images = _base_.other_images
other_images.pipeline[0].shared.append(_base_.mirrored)
other_images.pipeline[0].views = _base_.unlabeled_views
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
test_resize = dict(type='Resize', scale=(1333, 800), keep_ratio=True)
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, test_resize, *_base_.test_end]))
test_dataloader = val_dataloader
