# The supervised baseline of faster-rcnn_r50_cityscapes.py: the labeled images alone.
_base_ = './faster-rcnn_r50_cityscapes.py'
total_batch = (8, )
train_dataloader = dict(
    batch_size=_base_.batch[0],
    sampler=dict(batch=_base_.batch[:1]),
    dataset=dict(datasets=[_base_.labeled_images]))
custom_hooks = [dict(type='TeacherEMAHook', momentum=0.999, schedule='mean')]
