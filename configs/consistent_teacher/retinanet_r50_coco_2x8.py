# Consistent-Teacher for RetinaNet on 10 % of COCO, with 8 processes of one labeled and one unlabeled
# image: two fifths of the work.
_base_ = './retinanet_r50_coco.py'
batch = (1, 1)
total_batch = (8, 8)

model = dict(unsup_weight=1.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9998, schedule='mean'),
    *_base_.custom_hooks[1:]]
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
optim_wrapper = dict(optimizer=dict(lr=0.005))
