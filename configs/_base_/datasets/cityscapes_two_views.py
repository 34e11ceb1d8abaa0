# Cityscapes as in cityscapes_semi.py, with two strong views of each unlabeled crop.
_base_ = './cityscapes_semi.py'
branches = ('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2')
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].branch_field = branches
other_images = _base_.other_images
other_images.pipeline[0].branch_field = branches
other_images.pipeline[0].views.unsup_student_2 = [_base_.strong, _base_.pack]
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))
