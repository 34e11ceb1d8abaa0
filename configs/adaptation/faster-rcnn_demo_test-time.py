# Demo: test-time training (PS-TTL). A model that was trained elsewhere learns from the images that it is
# to be tested on, without any label. Give its checkpoint: --cfg-options load_from=work_dirs/clear/...
_base_ = './_domain_boxes.py'

batch = (4,)  # unlabeled scenes alone: those of the validation
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.update(split='val', count=_base_.val_count)
# The student learns the weak view, too.
unlabeled_scenes.pipeline[0].views.unsup_student = _base_.weak_view
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(labeled=0, datasets=[unlabeled_scenes]))
model = dict(burn_in=0, unsup_weight=0.5)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='PrototypeLabelHook', certain=0.9),
    dict(type='TaskWeightHook', box=0.0)]
