# SemiVL on the demo scenes: a CLIP of a few layers with random weights and texts, so this shows how the
# parts go together and not what a real CLIP knows. All of it learns.
_base_ = '../_base_/demo/segmentation.py'
architecture = dict(
    model_type='clip_vision_model',
    hidden_size=64,
    intermediate_size=128,
    projection_dim=32,
    num_hidden_layers=3,
    num_attention_heads=4,
    patch_size=8,
    image_size=64)
names = [['background', 'stroke'], ['zero'], ['three']]
segmentor = _base_.segmentor
segmentor.backbone = dict(
    _delete_=True,
    type='CLIPBackbone',
    config=architecture,
    skips=(0, 1),
    learning=('embed', 'layer', 'layrnorm', 'layernorm', 'projection'))
segmentor.decode_head = dict(
    _delete_=True,
    type='LanguageGuidedHead',
    in_channels=(64, 64, 32),
    num_classes=3,
    concepts=names,
    channels=32,
    up_channels=(32, 16),
    skip_channels=(16, 8),
    pool=2,
    align_corners=False,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))
model = dict(
    segmentor=segmentor,
    auxiliary=dict(clip=dict(type='DenseTextLabeler', concepts=names, config=architecture)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(
        type='TextGuidanceHook',
        start=0.01,
        length=_base_.iterations - _base_.burn_in,
        score=0.9)]
