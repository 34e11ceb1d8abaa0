# A ResNet-50 of the Caffe kind whose batch norm stays frozen, as Soft Teacher and most of its
# successors use it: the pixels and the backbone of the detectors beside this file.
caffe_pixels = dict(
    type='DetDataPreprocessor',
    mean=[103.530, 116.280, 123.675],
    std=[1.0, 1.0, 1.0],
    bgr_to_rgb=False,
    pad_size_divisor=32)
caffe_backbone = dict(
    norm_cfg=dict(type='BN', requires_grad=False),
    style='caffe',
    init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://detectron2/resnet50_caffe'))
