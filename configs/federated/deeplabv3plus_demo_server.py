# Demo of a federated training: the place with the labels, which trains and evaluates the averaged model.
_base_ = '../_base_/demo/segmentation.py'

batch = (8,)  # labeled scenes alone
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[_base_.labeled_scenes]))
model = dict(burn_in=0)
# A round is short: the rate of the first one is that of all.
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]
optim_wrapper = dict(optimizer=dict(lr=5e-3))
custom_hooks = [dict(type='TeacherEMAHook', momentum=0.99)]
