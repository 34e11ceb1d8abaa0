# U2PL on the demo scenes: three classes, so the likely one is the first, and the unlikely ones follow.
_base_ = '../_base_/demo/segmentation_contrast.py'
length = _base_.iterations - _base_.burn_in
model = dict(auxiliary_teachers=['representation'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(
        type='QuantileThresholdHook',
        share=0.2,
        end=0.0,
        length=length,
        measure='entropy',
        per_class=False),
    dict(type='CutMixHook', prob=0.5),
    dict(type='UnreliableContrastHook', ranks=(1, 3), length=length, memory=1000)]
