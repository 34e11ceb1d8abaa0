# Dual Teacher for ADE20K (1/16 unless told otherwise: --cfg-options split=1_8), SegFormer with a MiT-B1,
# crops of 512. A turn, and an epoch, is a pass over the labeled images by two processes.
_base_ = [
    '../_base_/models/segformer_b1.py', '../_base_/datasets/ade20k_two_views.py',
    '../_base_/schedules/voc_seg.py'
]
size = (512, 512)
batch = (4, 4)
turn = -(-_base_.labeled_count // 2) // batch[0]
iterations = 200 * turn

datasets = _base_.train_dataloader.dataset.datasets
datasets[0].pipeline[0].shared[3] = datasets[1].pipeline[0].shared[2] = dict(
    type='RandomCrop', crop_size=size)
train_dataloader = dict(
    batch_size=sum(batch), sampler=dict(batch=batch), dataset=dict(datasets=datasets))

segmentor = _base_.segmentor
segmentor.data_preprocessor.size = size
segmentor.decode_head.num_classes = 150
model = dict(
    type='TeacherStudentSegmentor', segmentor=segmentor, reduction='image', predict_with='student')
custom_hooks = [
    dict(
        type='TemporaryTeachersHook', period=turn, momentum=0.99, view='unsup_student_2', share=0.2),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=1.0, skip=['unsup_student_2']),
    dict(type='ClassMixHook', prob=1.0, skip=['unsup_student_2'])]

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', by_epoch=False, power=1.0, eta_min=0, begin=1500, end=50000)]
