# iMAS for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DeepLabV3+ with a
# ResNet-50 and an auxiliary head, crops of 769, hard pixels of the labeled images.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r101_cityscapes.py',
    '../_base_/datasets/cityscapes_two_views.py', '../_base_/schedules/cityscapes_seg.py'
]
size = (769, 769)
crop = dict(type='RandomCrop', crop_size=size)
batch = (4, 4)
total_batch = (16, 16)
iterations = 240 * _base_.one_pass['4x4']

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
other_images.pipeline[0].views.update(
    unsup_student=_base_.intensity, unsup_student_2=[_base_.pack])
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.data_preprocessor.size = size
segmentor.backbone.update(
    depth=50,
    multi_grid=(2, 4, 8),
    init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet50_v1c'))
segmentor.decode_head.sampler.min_kept = 25000  # for each of four images
segmentor.auxiliary_head = dict(
    type='FCNHead',
    in_channels=1024,
    in_index=2,
    channels=256,
    num_convs=1,
    concat_input=False,
    dropout_ratio=0.1,
    num_classes=19,
    norm_cfg=_base_.norm,
    align_corners=True,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4))
segmentor.test_cfg = dict(mode='slide', crop_size=size, stride=(513, 513))
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)
custom_hooks = _base_.custom_hooks
custom_hooks[1].score = 0.7
custom_hooks[2].score = 0.7

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(optimizer=dict(lr=1e-2, weight_decay=5e-4))
