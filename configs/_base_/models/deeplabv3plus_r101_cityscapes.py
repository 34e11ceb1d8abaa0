# DeepLabV3+ with a ResNet-101 for Cityscapes: 19 classes, crops of 801, hard pixels of the labeled
# images (the unsupervised losses take all pixels), sliding windows in the evaluation.
_base_ = './deeplabv3plus_r101.py'
num_classes = 19
input_size = (801, 801)

segmentor = dict(
    type='WindowedEncoderDecoder',  # adds probabilities where windows overlap, as the literature does
    data_preprocessor=dict(size=input_size),
    decode_head=dict(
        num_classes=num_classes,
        # For each image of the batch: 200,000 for two of them.
        sampler=dict(type='HardPixelSampler', thresh=0.7, min_kept=100000)),
    test_cfg=dict(mode='slide', crop_size=input_size, stride=(534, 534)))
