# AdamW for a pretrained transformer: the decode head learns 40 times as fast as the encoder. A config
# says how long; includes default_runtime.py through voc_seg.py.
_base_ = './voc_seg.py'
lr = 5e-6

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=lr, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=40.0))))
