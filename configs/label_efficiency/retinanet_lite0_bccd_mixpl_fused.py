# MixPL on the blood cells with labels of five views of each image. Pseudo labels weigh twice as much as
# annotations, which the student has memorized after the burn-in.
_base_ = './retinanet_lite0_bccd_mixpl_distribution.py'
model = dict(unsup_weight=2.0)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='BoxFusionHook', views=('identity', 'hflip', 'vflip'), scales=(0.8, 1.25))]
