# COCO as in coco_seg_semi.py, with two strong views of each unlabeled crop.
_base_ = './coco_seg_semi.py'
branches = ('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2')
datasets = _base_.train_dataloader.dataset.datasets
datasets[0].pipeline[0].branch_field = datasets[1].pipeline[0].branch_field = branches
datasets[1].pipeline[0].views.unsup_student_2 = [_base_.strong, _base_.pack]
train_dataloader = dict(dataset=dict(datasets=datasets))
