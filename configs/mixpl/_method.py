# MixPL with the threshold of Faster R-CNN and the sizes of COCO; a config says what differs. Images
# without a pseudo box teach nothing.
method = dict(unsup_weight=2.0, empty_weight=0.0, crowd='background')
custom_hooks = [
    # Every third iteration t: the published share of the student, 4 / (4 + t), two iterations ahead.
    dict(type='TeacherEMAHook', momentum=0.9998, schedule='mean', gamma=4 / 3, interval=3),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='EraseHook', count=(1, 19), size=(0.0, 0.1), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(400, 800), weight=0.5),
    dict(type='PseudoMixupHook', share=0.5)]
