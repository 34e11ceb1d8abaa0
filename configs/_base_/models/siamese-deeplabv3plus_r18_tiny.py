# The small DeepLabV3+ of the demos for pairs of images: one backbone sees both, the head sees how
# their features differ.
_base_ = './deeplabv3plus_r18_tiny.py'
num_classes = 2

segmentor = dict(
    type='SiameseSegmentor',
    fusion='difference',
    data_preprocessor=dict(type='PairDataPreProcessor'),
    decode_head=dict(num_classes=num_classes))
