# RankMatch for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-101, crops of 801, every pixel of the student's own labels.
_base_ = ['./_method.py', '../unimatch/deeplabv3plus_r101_cityscapes.py']
custom_hooks = [*_base_.custom_hooks, _base_.ranks]
