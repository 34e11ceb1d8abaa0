# Semi-DETR for DINO on 10 % of COCO (percent = 1, 5 for less): 120,000 iterations.
_base_ = ['./_method.py', '../_base_/datasets/coco_semi.py']

model = dict(type='TeacherStudentDetector', detector=_base_.detector, **_base_.method)

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views.sup[1] = _base_.sizes
other_images = _base_.other_images
other_images.pipeline[0].views.unsup_teacher[0] = _base_.sizes
other_images.pipeline[0].views.unsup_student[0] = _base_.sizes
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))
