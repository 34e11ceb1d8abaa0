# Demo: boxes of three digits of which the last one is eight times rarer. A frequent class has a prototype
# for each 16 boxes (SBCL), which say what unsure boxes are.
_base_ = '../_base_/demo/two_stage.py'

tail = 8.0
labeled = 40  # 10 digits of the rare class, 85 of the frequent one
labeled_scenes = {**_base_.labeled_scenes, 'labeled': labeled, 'tail': tail}
unlabeled_scenes = {**_base_.unlabeled_scenes, 'labeled': labeled, 'tail': tail}
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
model = dict(unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='ClassBalanceHook', beta=0.999),
    dict(type='PrototypeLabelHook', certain=0.9, group=16)]
