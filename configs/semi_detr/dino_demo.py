# Semi-DETR on the demo scenes: a small DINO. It is longer than the other demos: a DETR of random weights
# learns slowly.
_base_ = [
    '../_base_/models/dino_r18_tiny.py', '../_base_/datasets/digits_det.py',
    '../_base_/schedules/demo_det_long.py'
]
batch = (4, 4)  # labeled and unlabeled scenes per iteration
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    burn_in=_base_.burn_in,
    auxiliary=dict(
        query_projector=dict(type='QueryProjector', channels=64, hidden=128, groups=8)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='CostMiningHook', score=0.4),
    dict(type='HybridMatchingHook', switch=_base_.iterations * 7 // 10),
    dict(type='CrossViewQueryHook', until=_base_.iterations * 7 // 10, strides=(8, 16))]
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=0.1))
