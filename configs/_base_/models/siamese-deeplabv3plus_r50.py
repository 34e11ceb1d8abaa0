# DeepLabV3+ with a ResNet-50 (ImageNet weights, downloaded by MMEngine) for pairs of images: one
# backbone sees both, the head sees how their features differ.
_base_ = './deeplabv3plus_r50.py'
num_classes = 2
input_size = (256, 256)  # the crop_size of the data

segmentor = dict(
    type='SiameseSegmentor',
    fusion='difference',
    data_preprocessor=dict(type='PairDataPreProcessor', size=input_size),
    decode_head=dict(num_classes=num_classes))
