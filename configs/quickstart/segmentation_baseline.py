# Quickstart, segmentation: the same model, labels, images and iterations, without the unlabeled
# scenes. It has the average of its weights as a "teacher" too; the better of both is compared.
_base_ = './segmentation_semi.py'

model = dict(burn_in=0)
custom_hooks = [dict(type='TeacherEMAHook', momentum=0.99, schedule='mean')]
train_dataloader = dict(
    batch_size=_base_.batch[0],
    sampler=dict(batch=_base_.batch[:1]),
    dataset=dict(datasets=[_base_.labeled_scenes]))
