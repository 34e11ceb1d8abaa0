# Demo: MixPL with weights of classes; the classifier sees prefixes of its features.
_base_ = ['./_rare_boxes.py', '../mixpl/_digits.py']
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].views.unsup_student = _base_.unerased_view
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='ClassBalanceHook', beta=0.999),
    dict(type='NestedDropoutHook', layer='roi_head.bbox_head.fc_cls')]
