# A linear layer on the last map of a frozen DINOv3-S, as such encoders are compared; see
# dinov3-s_dpt.py. The whole model learns with segmentor.backbone.learning='all'.
_base_ = './dinov3-s_dpt.py'

model = dict(
    backbone=dict(out_indices=[12], class_token=False, learning='frozen'),
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=384,
        in_index=0,
        channels=384,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0,
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
