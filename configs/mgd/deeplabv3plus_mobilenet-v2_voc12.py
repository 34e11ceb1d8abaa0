# MGD for VOC 2012: as deeplabv3plus_r18_voc12.py, with a MobileNetV2 as student.
_base_ = ['./deeplabv3plus_r18_voc12.py', './_mobilenet-v2.py']
model = dict(segmentor=_base_.mobilenet)
