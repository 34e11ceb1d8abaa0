# Noisy Boundaries on the demo scenes: a small Mask R-CNN with the noise-tolerant head, and a mean teacher.
_base_ = '../_base_/demo/instance.py'

model = dict(
    detector=dict(
        roi_head=dict(
            mask_head=dict(
                type='NoiseTolerantMaskHead',
                loss_mask=dict(_delete_=True, type='BoundaryMaskLoss')))))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=1.0,
        images=500,
        floor=0.1,
        default=0.5)]
