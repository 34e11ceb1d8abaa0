# MGD for Cityscapes: as deeplabv3plus_r18_cityscapes.py, with a MobileNetV2 as student.
_base_ = ['./deeplabv3plus_r18_cityscapes.py', './_mobilenet-v2.py']
model = dict(segmentor=_base_.mobilenet)
