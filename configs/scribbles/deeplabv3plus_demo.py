# Demo: FixMatch on 40 labeled scenes with one stroke for each class, which spreads to its neighbors.
_base_ = '../fixmatch_seg/deeplabv3plus_demo.py'

labeled = 40
labeled_scenes = _base_.labeled_scenes
labeled_scenes.labeled = labeled
labeled_scenes.pipeline[0].shared = [dict(type='LoadDigitScene'), dict(type='ScribbleDigits')]
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.labeled = labeled
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
custom_hooks = [*_base_.custom_hooks, dict(type='NeighborLossHook', stride=1)]  # digits are thin
