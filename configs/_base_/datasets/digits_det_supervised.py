# The labeled scenes of digits_det.py alone, in plain batches: also for a model without a teacher.
_base_ = './digits_det.py'

labeled_scenes = {
    **_base_.labeled_scenes, 'pipeline': [dict(type='LoadDigitScene'), *_base_.sup_view]}
train_dataloader = dict(
    batch_size=_base_.batch[0],
    sampler=dict(batch=_base_.batch[:1]),
    dataset=dict(datasets=[labeled_scenes]))
