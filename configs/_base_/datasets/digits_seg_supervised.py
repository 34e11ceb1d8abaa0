# The labeled scenes of digits_seg.py alone, in plain batches: also for a model without a teacher.
_base_ = './digits_seg.py'

train_dataloader = dict(
    batch_size=_base_.batch[0],
    sampler=dict(batch=_base_.batch[:1]),
    dataset=dict(datasets=[
        dict(
            type='DigitScenesSeg',
            split='labeled',
            count=_base_.count,
            labeled=_base_.labeled,
            fold=_base_.fold,
            pipeline=[dict(type='LoadDigitScene'), *_base_.sup_view],
            **_base_.scenes)]))
