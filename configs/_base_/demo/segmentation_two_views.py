# The demo scenes as in segmentation.py, with two strong views of each unlabeled scene.
_base_ = './segmentation.py'
branches = ('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2')
labeled_scenes = _base_.labeled_scenes
labeled_scenes.pipeline[0].branch_field = branches
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].branch_field = branches
unlabeled_scenes.pipeline[0].views.unsup_student_2 = _base_.strong_view
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
