# Demo: a model that was trained elsewhere adapts to fog, and no labeled image is at hand. Give its
# checkpoint: --cfg-options load_from=work_dirs/clear/...
_base_ = './deeplabv3plus_demo.py'

batch = (8,)  # unlabeled scenes alone
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(labeled=0, datasets=[_base_.unlabeled_scenes]))
segmentor = _base_.segmentor
segmentor.backbone.norm_cfg = _base_.norm
model = dict(segmentor=segmentor, burn_in=0)
# A model without labels to hold it must not move fast, nor follow itself closely.
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999),
    dict(type='QuantileThresholdHook', share=0.2, measure='entropy'),
    dict(type='ClassMixHook')]
