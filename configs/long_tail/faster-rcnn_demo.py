# Demo: as for pixels, boxes of three digits of which the last one is eight times rarer. MixPL, with weights
# of classes; the classifier sees prefixes of its features.
_base_ = '../mixpl/faster-rcnn_demo.py'

tail = 8.0
labeled = 40  # 10 digits of the rare class, 85 of the frequent one
labeled_scenes = {**_base_.labeled_scenes, 'labeled': labeled, 'tail': tail}
unlabeled_scenes = {**_base_.unlabeled_scenes, 'labeled': labeled, 'tail': tail}
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='ClassBalanceHook', beta=0.999),
    dict(type='NestedDropoutHook', layer='roi_head.bbox_head.fc_cls')]
