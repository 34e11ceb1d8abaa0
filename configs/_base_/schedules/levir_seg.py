# Change detection on LEVIR-CD: as voc_seg.py, with another rate and one for all layers.
_base_ = './voc_seg.py'
lr = 0.02  # for 8 labeled and 8 unlabeled pairs per iteration, in all processes together
head_lr = 1.0

optim_wrapper = dict(
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=head_lr))))
