# DeepLabV3+ as in deeplabv3plus_r101.py, with a ResNet-50.
_base_ = './deeplabv3plus_r101.py'
segmentor = dict(
    backbone=dict(depth=50, init_cfg=dict(checkpoint='open-mmlab://resnet50_v1c')))
