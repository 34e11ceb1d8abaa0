# LEVIR-CD as in levir_cd_semi.py, with two strong views of each unlabeled pair.
_base_ = './levir_cd_semi.py'
branches = ('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2')
labeled_pairs = _base_.labeled_pairs
labeled_pairs.pipeline[0].branch_field = branches
unlabeled_pairs = _base_.unlabeled_pairs
unlabeled_pairs.pipeline[0].branch_field = branches
unlabeled_pairs.pipeline[0].views.unsup_student_2 = [_base_.strong, _base_.pack]
train_dataloader = dict(dataset=dict(datasets=[labeled_pairs, unlabeled_pairs]))
