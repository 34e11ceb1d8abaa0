# Semi-DETR with text queries on the demo scenes: a small DINO. The texts are random directions, so this shows
# how the parts go together and not what CLIP knows.
_base_ = '../semi_detr/dino_demo.py'

names = [['zero'], ['one'], ['two']]
model = dict(
    auxiliary=dict(
        texts=dict(type='ClassTextProjector', concepts=names, channels=64, dim=32)))
custom_hooks = [*_base_.custom_hooks, dict(type='TextQueryHook', weight=1.0)]
