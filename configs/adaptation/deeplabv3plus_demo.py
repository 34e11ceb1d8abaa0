# Demo: 60 labeled scenes in clear weather; the unlabeled scenes, and those of the validation, are in
# fog. Labeled scenes get the low frequencies of foggy ones, and batch norm of their own.
_base_ = '../_base_/demo/segmentation.py'

labeled = 60
domain = 'fog'  # of the unlabeled scenes; 'noise' and 'checks', too; 'clear': no shift
draw = dict(type='LoadDigitScene', domain=domain)
labeled_scenes = _base_.labeled_scenes
labeled_scenes.labeled = labeled
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.labeled = labeled
unlabeled_scenes.pipeline[0].shared = [draw]
# As a strong view: fewer pixels, other colors, or both (AdaptOR's rule, our probabilities).
*geometry, colors, erased, pack = _base_.strong_view
low = dict(type='LowResolution', factor=(1, 2))
strong = dict(
    type='RandomChoice',
    transforms=[[colors, erased], [colors, erased, low], [low]],
    prob=[0.4, 0.1, 0.5])
unlabeled_scenes.pipeline[0].views.unsup_student = [*geometry, strong, pack]
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
val_dataloader = dict(dataset=dict(pipeline=[draw, dict(type='PackSegInputs')]))
test_dataloader = val_dataloader

segmentor = _base_.segmentor
segmentor.backbone.norm_cfg = dict(type='DomainBN')
model = dict(segmentor=segmentor)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='StyleSwapHook', kind='fourier', share=0.02),
    dict(type='DomainNormHook')]
