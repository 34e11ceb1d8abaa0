# VOC 2012 with crops of 512, and a student that sees what the teacher sees: what differs is mixed in
# by a hook (CPS, MGD).
_base_ = './voc12_semi.py'
crop_size = (512, 512)
crop = dict(type='RandomCrop', crop_size=crop_size)

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[2:4] = [_base_.one_of_six, crop]
other_images = _base_.other_images
other_images.pipeline[0].shared[1:3] = [_base_.one_of_six, crop]
other_images.pipeline[0].views.unsup_student = [_base_.pack]
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))
