# DDFP for VOC 2012 (classic protocol, 1/16 unless told otherwise: --cfg-options split=1_8),
# DeepLabV3+ with a ResNet-101, crops of 513. After a pass over the unlabeled images with the labeled
# ones alone, the flow learns for a pass before anything is moved.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
size = (513, 513)
crop = dict(type='RandomCrop', crop_size=size)
total_batch = (16, 16)
iterations = 80 * _base_.one_pass['4x4']
start = _base_.one_pass['4x4']

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.data_preprocessor.size = size
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    burn_in=start,
    auxiliary=dict(flow=dict(num_classes=21, **_base_.flow), norms=_base_.norms),
    **_base_.ddfp)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    _base_.half,
    dict(start=start, **_base_.descent)]
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
# 'head' is the decode head; the second normalizations and the flow learn as fast.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'auxiliary.norms': dict(lr_mult=10.0),
            'auxiliary.flow': dict(lr_mult=10.0, decay_mult=0.0)}))
