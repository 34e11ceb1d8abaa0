_base_ = ['./segmentation.py']
method = 'cps'
plain = _base_.segmentor
networks = dict(
    cps=['second'], dual=['second'], umct=['second'], mgd=['wide', 'deep'], fst=[],
    rail=['second', 'third', 'fourth'])[method]
mean = dict(type='TeacherEMAHook', momentum=0.9)
copied = dict(type='TeacherEMAHook', momentum=0.0)
threshold = dict(type='FixedThresholdHook', score=0.05)
mix = dict(type='CutMixHook', prob=0.5)

norm = dict(type='GN', num_groups=4)  # statistics of batches are those of each process
segmentor = dict(plain, backbone=dict(plain.backbone, norm_cfg=norm),
                 decode_head=dict(plain.decode_head, norm_cfg=norm))
model = dict(
    segmentor=dict(backbone=dict(norm_cfg=norm), decode_head=dict(norm_cfg=norm)),
    auxiliary={name: segmentor for name in networks},
    auxiliary_teachers=dict(dual=['second'], rail=['third']).get(method, []))
hooks = dict(
    cps=[copied, dict(type='CrossSupervisionHook'), mix],
    dual=[mean, dict(type='DualTeacherHook', score=0.05, agreement=0.0), mix],
    umct=[mean, dict(type='UncertaintyFusionHook', views=('identity', 'rot90'),
                     networks=('second', ), exclude_self=True, passes=2), mix],
    mgd=[copied, dict(type='MultiGranularityHook', learning='wide', pool=3,
                      region_layer='decode_head.convs'), mix],
    rail=[mean, dict(type='RegionInstructionHook', period=1,
                     ramp_length=3)],
    fst=[mean, threshold, mix, dict(type='FutureTeacherHook', steps=1, kind='wide')])[method]
custom_hooks = [
    *hooks, dict(type='EmptyRankHook'), dict(type='FaultHook'), dict(type='DumpRankHook')]
train_dataloader = dict(num_workers=0, persistent_workers=False)
train_cfg = dict(max_iters=8, val_interval=8)
