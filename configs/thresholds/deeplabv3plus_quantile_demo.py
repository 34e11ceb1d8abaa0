# A falling share of the pixels, those of the highest entropy, is not learned; on the demo scenes.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(
        type='QuantileThresholdHook',
        share=0.2,
        end=0.0,
        length=_base_.iterations - _base_.burn_in,
        measure='entropy',
        per_class=False),
    dict(type='CutMixHook', prob=0.5)]
