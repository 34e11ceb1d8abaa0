# Demo: as for pixels, boxes of three digits of which the last one is twenty times rarer. A frequent
# class has a prototype for each 16 boxes (SBCL); the classifier sees prefixes of its features.
_base_ = '../_base_/demo/two_stage.py'

tail = 20.0
labeled = 100  # 13 digits of the rare class, 250 of the frequent one
labeled_scenes = {**_base_.labeled_scenes, 'labeled': labeled, 'tail': tail}
unlabeled_scenes = {**_base_.unlabeled_scenes, 'labeled': labeled, 'tail': tail}
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='ClassBalanceHook', beta=0.99),
    dict(type='PrototypeLabelHook', certain=0.9, group=16),
    dict(type='NestedDropoutHook', layer='roi_head.bbox_head.fc_cls')]
