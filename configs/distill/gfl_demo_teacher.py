# The large teacher of the demo: a GFL of twice the width, trained on ten times the labels of the
# student, as a model that was trained elsewhere has seen more labels than one's own data has.
#   ssdet train distill/gfl_demo_teacher.py --work-dir work_dirs/gfl_demo_teacher
_base_ = '../_base_/demo/detection.py'

labeled = 200
model = dict(
    detector=dict(
        backbone=dict(base_channels=32),
        neck=dict(in_channels=[64, 128], out_channels=64),
        bbox_head=dict(in_channels=64, feat_channels=64)),
    burn_in=0)
custom_hooks = [dict(type='TeacherEMAHook', momentum=0.995, schedule='mean')]
train_dataloader = dict(
    batch_size=_base_.batch[0],
    sampler=dict(batch=_base_.batch[:1]),
    dataset=dict(datasets=[{**_base_.labeled_scenes, 'labeled': labeled}]))
