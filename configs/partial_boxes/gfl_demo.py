# Demo: 60 labeled scenes in which half of the digits have no box. Places where the teacher sees one
# are no background; in so short a training it confuses too many classes to fill them (score=0.9).
_base_ = '../mean_teacher/gfl_demo.py'

labeled = 60
batch = (4, 2)  # labeled and unlabeled scenes per iteration
labeled_scenes = _base_.labeled_scenes
labeled_scenes.labeled = labeled
labeled_scenes.pipeline[0].shared = [
    dict(type='LoadDigitScene'), dict(type='HideDigits', share=0.5)]
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.labeled = labeled
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='PartialLabelsHook', score=0.9, ignore=0.2, overlap=0.1)]
