# MixPL on the blood cells with measured thresholds in the place of one for all classes.
_base_ = './retinanet_lite0_bccd_calibrated.py'
model = dict(empty_weight=0.0)
custom_hooks = _base_.custom_hooks + [
    dict(type='EraseHook', count=(1, 19), size=(0.0, 0.1), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(80, 160), weight=0.5),
    dict(type='PseudoMixupHook', share=0.5)]
