# Semi-DETR with text queries, inspired by STEP-DETR, for DINO on 10 % of COCO. CLIP reads the names when the
# training starts: clip=FOLDER where there is no network.
_base_ = ['../semi_detr/dino_r50_coco.py', './_coco_names.py']
clip = 'openai/clip-vit-base-patch16'

model = dict(
    auxiliary=dict(
        texts=dict(type='ClassTextProjector', concepts=_base_.names, pretrained=clip)))
custom_hooks = [*_base_.custom_hooks, dict(type='TextQueryHook', weight=1.0)]
