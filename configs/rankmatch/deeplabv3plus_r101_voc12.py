# RankMatch for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101, crops of 321.
_base_ = ['./_method.py', '../unimatch/deeplabv3plus_r101_voc12.py']
custom_hooks = [*_base_.custom_hooks, _base_.ranks]
