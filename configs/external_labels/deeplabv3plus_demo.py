# Demo: FixMatch, with imperfect external labels for every scene (a tenth of the digits
# missed, a tenth confused, thick outlines) learned by a second projection.
_base_ = '../_base_/demo/segmentation.py'

model = dict(
    auxiliary=dict(second=dict(type='ProjectionHead', in_channels=32, num_classes=3)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ExternalLabelsHook', start=0.5, end=0.0)]

shared = [dict(type='DigitExternalLabels'), dict(type='LoadDigitScene')]
pack = dict(type='PackExternalLabels')
labeled_scenes = _base_.labeled_scenes
labeled_scenes.pipeline[0].shared = shared
labeled_scenes.pipeline[0].views.sup[-1] = pack
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].shared = shared
unlabeled_scenes.pipeline[0].views.unsup_teacher[-1] = pack
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
