# TOOD with a ResNet-50. MMDetection's head counts epochs to change from ATSS to its own assignment, and
# a run that counts iterations stays in epoch 0: with initial_epoch = 4 it is ATSS all the time, as in
# the published code of MixPL; initial_epoch = 0 is task alignment from the start.
_base_ = './one_anchor_r50.py'
initial_epoch = 4

detector = dict(
    type='TOOD',
    bbox_head=dict(
        type='TOODHead',
        stacked_convs=6,
        anchor_type='anchor_free',
        initial_loss_cls=dict(
            type='FocalLoss', use_sigmoid=True, activated=True, gamma=2.0, alpha=0.25),
        loss_cls=dict(
            type='QualityFocalLoss', use_sigmoid=True, activated=True, beta=2.0)),
    train_cfg=dict(
        initial_epoch=initial_epoch,
        initial_assigner=dict(type='ATSSAssigner', topk=9),
        assigner=dict(type='TaskAlignedAssigner', topk=13),
        alpha=1,
        beta=6,
        allowed_border=-1,
        pos_weight=-1))
