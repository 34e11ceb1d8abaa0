# CorrMatch for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101 and output stride 8, crops of 321.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
iterations = 80 * _base_.one_pass['2x4']

segmentor = _base_.segmentor
segmentor.backbone.update(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
segmentor.decode_head.dilations = (1, 12, 24, 36)
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(correlation=dict(num_classes=21, **_base_.correlation)),
    **_base_.method)
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
# 'head' is the decode head; the correlation learns as fast.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(auxiliary=dict(lr_mult=10.0))))
