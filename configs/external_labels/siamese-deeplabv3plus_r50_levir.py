# SemiCD-VL's second projection for change detection on LEVIR-CD (5 % of the labels unless told
# otherwise: --cfg-options percent=10): change maps made from a vision-language model lie in the
# folder `second` beside A and B; 0 unchanged, 1 changed, 255 unknown.
_base_ = '../change_detection/siamese-deeplabv3plus_r50_levir.py'
second = 'data/LEVIR-CD256/train/second'
head_lr = 10.0

model = dict(
    auxiliary=dict(second=dict(type='ProjectionHead', in_channels=256, num_classes=2)))
# 1/2 (L_x + L_s) + weight/6 (L2_x + L2_s + L2_w): half of 0.1, times the mean of three terms
custom_hooks = [*_base_.custom_hooks, dict(type='ExternalLabelsHook', start=0.05, end=0.0)]

# 'head' is the decode head; the second projection learns as fast.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(head=dict(lr_mult=head_lr), auxiliary=dict(lr_mult=head_lr))))

load_second = dict(
    type='LoadExternalLabels',
    folder=second,
    root=f'{_base_.data_root}train/A',
    num_classes=2)
pack = dict(type='PackExternalLabels')
labeled_pairs = _base_.labeled_pairs
labeled_pairs.pipeline[0].shared.insert(1, load_second)
labeled_pairs.pipeline[0].views.sup[-1] = pack
unlabeled_pairs = _base_.unlabeled_pairs
unlabeled_pairs.pipeline[0].shared.insert(1, load_second)
unlabeled_pairs.pipeline[0].views.unsup_teacher[-1] = pack
train_dataloader = dict(dataset=dict(datasets=[labeled_pairs, unlabeled_pairs]))
