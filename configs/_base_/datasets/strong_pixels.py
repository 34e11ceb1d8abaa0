# The strong view of Unbiased Teacher, LabelMatch and their like: it moves no pixel, so that a box of
# the weak view needs no more than the same resizing.
strong_color = dict(
    type='StrongPhotometric',
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.1,
    jitter_prob=0.8,
    gray_prob=0.2,
    blur_prob=0.5,
    sigma=(0.1, 2.0))
noise_patches = [
    dict(type='NoisePatch', prob=0.7, area=(0.05, 0.2), aspect=(0.3, 3.3)),
    dict(type='NoisePatch', prob=0.5, area=(0.02, 0.2), aspect=(0.1, 6.0)),
    dict(type='NoisePatch', prob=0.3, area=(0.02, 0.2), aspect=(0.05, 8.0))]
