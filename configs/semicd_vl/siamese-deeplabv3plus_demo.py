# Demo: SemiCD-VL on pairs of scenes, with what an imperfect source finds at each date: a tenth of the
# digits is missed, so that some seem to have come or gone, and outlines are thick.
_base_ = '../_base_/demo/change_detection.py'

model = dict(
    auxiliary=dict(
        second=dict(type='ProjectionHead', in_channels=32, num_classes=2),
        dates=dict(
            type='SegformerHead',
            in_channels=[16, 32, 64],
            in_index=[0, 1, 2],
            channels=32,
            dropout_ratio=0,
            num_classes=2,
            norm_cfg=dict(type='BN'),
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ExternalLabelsHook', start=0.5, end=0.0),
    dict(type='DateDecodersHook', start=0.5, end=0.0)]

shared = [dict(type='DigitChangeEvents'), dict(type='LoadDigitPair')]
pack_maps = dict(type='PackExternalLabels')
labeled_pairs = _base_.labeled_pairs
labeled_pairs.pipeline[0].shared = shared
labeled_pairs.pipeline[0].views.sup[-1] = pack_maps
unlabeled_pairs = _base_.unlabeled_pairs
unlabeled_pairs.pipeline[0].shared = shared
unlabeled_pairs.pipeline[0].views.unsup_teacher[-1] = pack_maps
train_dataloader = dict(dataset=dict(datasets=[labeled_pairs, unlabeled_pairs]))
