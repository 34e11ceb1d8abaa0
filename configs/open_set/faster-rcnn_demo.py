# Demo: three digits are labeled, and the unlabeled scenes show two more. What is probably none of the
# three is ignored (IOMatch).
_base_ = '../_base_/demo/two_stage.py'

classes = ('0', '1', '2')
labeled_scenes = {**_base_.labeled_scenes, 'labeled': 40}
unlabeled_scenes = {
    **_base_.unlabeled_scenes,
    'labeled': 40,
    'digits': (0, 1, 2, 4, 7),
    'metainfo': dict(classes=classes)}
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
judge = dict(
    type='FeatureProjector',
    in_channels=_base_.detector.roi_head.bbox_head.fc_out_channels,
    hidden=64,
    channels=len(classes))
model = dict(auxiliary=dict(open_set=judge))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='OpenSetHook', unknown=0.05)]
