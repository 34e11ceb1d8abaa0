# Label efficiency on real photographs: cell nuclei (DSB2018, 256x256), DeepLabV3+ from scratch.
# `tools/benchmark_labels.py` sets the variables and puts the hooks of each method in.
_base_ = ['../_base_/models/deeplabv3plus_r18_small.py', '../_base_/default_runtime.py']
default_scope = 'mmseg'
data_root = 'data/dsb2018/'
labels = '1_16'  # the labeled share of the training images; 'full': all of them
draws = ('', 'seed1/', 'seed2/', 'seed3/', 'seed4/')
draw = ''  # which images are labeled, one of `draws`
iterations = 1500
burn_in = 1000  # before them, the same for all
score = 0.8  # threshold of every method that has a single one; with two classes no score is below 0.5
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (4, 4)  # in all processes together; the learning rate is for as many
lr = 1e-3
precision = 'AmpOptimWrapper'  # bfloat16 where the CPU has it; 'OptimWrapper': float32
num_workers = 0

classes = ('background', 'nucleus')
crop_size = (128, 128)  # the input_size of the model
labeled_list = 'splits/train.txt' if labels == 'full' else f'splits/{draw}labeled_{labels}.txt'
unlabeled_list = 'splits/train.txt' if labels == 'full' else f'splits/{draw}unlabeled_{labels}.txt'
load = dict(type='LoadImageFromFile')
geometry = [
    dict(type='RandomResize', scale=(256, 256), ratio_range=(0.7, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=[0.25, 0.25, 0.25],
         direction=['horizontal', 'vertical', 'diagonal'])]
pack = dict(type='PackSegInputs')
labeled_images = dict(
    type='BaseSegDataset',
    data_root=data_root,
    ann_file=labeled_list,
    data_prefix=dict(img_path='images/train', seg_map_path='masks/train'),
    metainfo=dict(classes=classes),
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadAnnotations'), *geometry],
            views=dict(sup=[dict(type='PhotoMetricDistortion'), pack]))])
unlabeled_images = dict(
    type='UnlabeledImages',
    source=unlabeled_list,
    data_root=data_root,
    img_prefix='images/train',
    img_suffix='.jpg',
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, *geometry],
            views=dict(
                unsup_teacher=[pack],
                unsup_student=[dict(type='StrongPhotometric'), pack]))])
train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=batch),
    dataset=dict(type='LabeledUnlabeledDataset', datasets=[labeled_images, unlabeled_images]))
val_dataloader = dict(
    batch_size=4,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BaseSegDataset',
        data_root=data_root,
        ann_file='splits/test.txt',
        data_prefix=dict(img_path='images/test', seg_map_path='masks/test'),
        metainfo=dict(classes=classes),
        test_mode=True,
        pipeline=[load, dict(type='LoadAnnotations'), pack]))
test_dataloader = val_dataloader
# Nearly all images are fluorescence, and easy; what the rare stains reach is reported apart.
val_evaluator = dict(
    type='GroupedMetric',
    metric=dict(type='IoUMetric', iou_metrics=['mIoU', 'mDice']),
    groups=dict(
        fluorescence=dict(brightness=(0, 100)),
        histology=dict(brightness=(100, 256), color=(16, 256)),
        bright_field=dict(brightness=(100, 256), color=(0, 16))))
test_evaluator = val_evaluator

model = dict(type='TeacherStudentSegmentor', segmentor=_base_.segmentor, burn_in=burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=score),
    dict(type='CutMixHook', prob=0.5)]

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 2, 1))
optim_wrapper = dict(
    type=precision,
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.01),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=lr * 0.05)]
default_hooks = dict(
    logger=dict(interval=20),
    metrics=dict(interval=20),
    checkpoint=dict(interval=max(iterations // 2, 1)))
