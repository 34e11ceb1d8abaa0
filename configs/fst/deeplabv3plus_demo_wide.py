# FST on the demo scenes, wide: the mean of the students (here one) that step ahead, each on a batch of
# its own. The loader brings steps + 1 batches as one; the first part is that of the real step.
_base_ = './deeplabv3plus_demo.py'
steps = 1
batch = (8 * (steps + 1), 8 * (steps + 1))
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FutureTeacherHook', steps=steps, kind='wide')]
