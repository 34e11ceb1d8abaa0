# ShrinkMatch per pixel on the demo scenes, with four digits (five classes) and 20 labels: of three
# classes one can be removed, and what is left is told apart at once.
_base_ = '../_base_/demo/segmentation.py'
digits = (0, 3, 5, 8)
labeled = 20
labeled_scenes = _base_.labeled_scenes
labeled_scenes.digits = digits
labeled_scenes.labeled = labeled
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.digits = digits
unlabeled_scenes.labeled = labeled
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
val_dataloader = dict(dataset=dict(digits=digits))
test_dataloader = dict(dataset=dict(digits=digits))

model = dict(
    segmentor=dict(decode_head=dict(num_classes=5)),
    auxiliary=dict(
        shrink=dict(
            type='FCNHead',
            in_channels=64,
            in_index=2,
            channels=16,
            num_convs=2,
            kernel_size=1,
            concat_input=False,
            dropout_ratio=0,
            num_classes=5,
            norm_cfg=_base_.norm,
            align_corners=False)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='ShrinkMatchHook', threshold=_base_.score)]
