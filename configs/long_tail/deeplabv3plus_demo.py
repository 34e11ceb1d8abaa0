# Demo: of three digits, the last one is twenty times rarer than the first one in training; all are
# equally frequent in the validation. Classes weigh by the effective number of their labels.
_base_ = '../_base_/demo/segmentation.py'

tail = 20.0
labeled = 100  # 12 digits of the rare class, 257 of the frequent one
scenes = dict(digits=(0, 3, 7))
labeled_scenes = {**_base_.labeled_scenes, **scenes, 'labeled': labeled, 'tail': tail}
unlabeled_scenes = {**_base_.unlabeled_scenes, **scenes, 'labeled': labeled, 'tail': tail}
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
val_dataloader = dict(dataset=scenes)
test_dataloader = val_dataloader

segmentor = _base_.segmentor
segmentor.decode_head.num_classes = 4
model = dict(segmentor=segmentor)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='ClassBalanceHook', beta=0.99)]
