# SemiCD-VL on LEVIR-CD (5 % of the labels unless told otherwise: --cfg-options percent=10): label
# maps of a vision-language model for each date lie in train/maps/A and train/maps/B; 0 no building,
# 1 building, 255 unknown.
_base_ = [
    '../_base_/models/siamese-light_r50.py', '../_base_/datasets/levir_cd_semi.py',
    '../_base_/schedules/levir_seg.py'
]
maps = 'data/LEVIR-CD256/train/maps'
head_lr = 10.0

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    auxiliary=dict(
        second=dict(type='ProjectionHead', in_channels=256, num_classes=2),
        dates=_base_.light_head),
    sup_weight=0.5,
    unsup_weight=0.5)
# weight / 6 on each of three terms of changes and three means over both dates: half of 0.1, times
# the mean of three.
fading = dict(start=0.05, end=0.0, mean='all')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),  # the student labels for itself
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ExternalLabelsHook', **fading),
    dict(type='DateDecodersHook', contrast=0.1, margin=2.0, **fading)]

# All decoders learn as fast.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(head=dict(lr_mult=head_lr), auxiliary=dict(lr_mult=head_lr))))

load_maps = dict(
    type='LoadChangeEvents',
    folders=[f'{maps}/A', f'{maps}/B'],
    root=f'{_base_.data_root}train/A')
pack_maps = dict(type='PackExternalLabels')
labeled_pairs = _base_.labeled_pairs
labeled_pairs.pipeline[0].shared.insert(1, load_maps)
labeled_pairs.pipeline[0].views.sup[-1] = pack_maps
unlabeled_pairs = _base_.unlabeled_pairs
unlabeled_pairs.pipeline[0].shared.insert(1, load_maps)
unlabeled_pairs.pipeline[0].views.unsup_teacher[-1] = pack_maps
train_dataloader = dict(dataset=dict(datasets=[labeled_pairs, unlabeled_pairs]))
