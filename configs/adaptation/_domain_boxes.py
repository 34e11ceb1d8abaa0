# The demo scenes of boxes in two domains: 60 labeled ones in clear weather; the unlabeled ones, and
# those of the validation, are in fog.
_base_ = '../_base_/demo/two_stage.py'

labeled = 60
domain = 'fog'  # of the unlabeled scenes; 'noise' and 'checks', too; 'clear': no shift
draw = dict(type='LoadDigitScene', domain=domain)
labeled_scenes = _base_.labeled_scenes
labeled_scenes.labeled = labeled
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.labeled = labeled
unlabeled_scenes.pipeline[0].shared[0] = draw
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
val_pipeline = [draw, *_base_.val_dataloader.dataset.pipeline[1:]]
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
