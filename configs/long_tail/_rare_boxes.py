# The demo scenes of boxes, of whose three digits the last one is eight times rarer in training.
_base_ = '../_base_/demo/two_stage.py'

tail = 8.0
labeled = 40  # 10 digits of the rare class, 85 of the frequent one
labeled_scenes = {**_base_.labeled_scenes, 'labeled': labeled, 'tail': tail}
unlabeled_scenes = {**_base_.unlabeled_scenes, 'labeled': labeled, 'tail': tail}
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
