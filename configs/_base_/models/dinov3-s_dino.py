# DINO-DETR on DINOv3-S with the pyramid of ViTDet, strides 8 to 64.
_base_ = ['./dino_r50.py', './dinov3-s.py']

model = _base_.detector
model.backbone = _base_.encoder
model.neck = dict(
    type='SimpleFeaturePyramid', in_channels=384, out_channels=256, start=1, num_outs=4)
