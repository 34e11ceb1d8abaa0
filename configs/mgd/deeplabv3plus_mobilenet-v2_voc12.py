# MGD for VOC 2012: as deeplabv3plus_r18_voc12.py, with a MobileNetV2 as student, and the rate and the
# weights that are published for it.
_base_ = ['./deeplabv3plus_r18_voc12.py', './_mobilenet-v2.py']
model = dict(segmentor=_base_.mobilenet)
custom_hooks = _base_.custom_hooks
custom_hooks[1].update(region_weight=50.0, image_weight=0.0005)
optim_wrapper = dict(optimizer=dict(lr=3.5e-3))
