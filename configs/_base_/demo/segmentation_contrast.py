# What the demos that contrast pixels start from: that for segmentation, with a head for features to compare.
_base_ = './segmentation.py'
model = dict(
    auxiliary=dict(
        representation=dict(
            type='PixelProjector', in_channels=32, channels=32, convs=1, norm_cfg=_base_.norm)))
