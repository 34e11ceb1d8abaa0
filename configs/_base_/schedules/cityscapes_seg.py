# Cityscapes segmentation: as voc_seg.py, with another rate and one for all layers.
_base_ = './voc_seg.py'
lr = 0.005  # for 8 labeled and 8 unlabeled images per iteration, in all processes together

optim_wrapper = dict(
    optimizer=dict(lr=lr), paramwise_cfg=dict(_delete_=True, custom_keys=dict()))
