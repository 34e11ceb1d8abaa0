# MixPL on the demo scenes. Nothing is mirrored: a mirrored digit is no digit.
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean', gamma=4),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='EraseHook', count=(1, 3), size=(0.05, 0.15), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(64, 112), images=2, weight=0.5, flip=0.0),
    dict(type='PseudoMixupHook', share=0.5, flip=0.0)]
