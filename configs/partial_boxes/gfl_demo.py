# Demo: 120 labeled scenes in which 70 % of the digits have no box. Places where the teacher sees one
# are no background; in so short a training it confuses too many classes to fill them (score=0.9).
_base_ = '../mean_teacher/gfl_demo.py'

labeled = 120
digits = (0, 1, 2)
batch = (4, 2)  # labeled and unlabeled scenes per iteration
hide = dict(type='HideDigits', share=0.7)
labeled_scenes = _base_.labeled_scenes
labeled_scenes.update(labeled=labeled, digits=digits)
labeled_scenes.pipeline[0].shared = [dict(type='LoadDigitScene'), hide]
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.update(labeled=labeled, digits=digits)
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
val_dataloader = dict(dataset=dict(digits=digits))
test_dataloader = val_dataloader
model = dict(detector=dict(bbox_head=dict(num_classes=len(digits))))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='PartialLabelsHook', score=0.9, ignore=0.3)]
