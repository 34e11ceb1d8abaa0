# A small GFL learns from a large one, which is frozen: the other settings are those of
# mean_teacher/gfl_demo.py, in which it learns from its own average.
_base_ = '../_base_/demo/detection.py'

teacher_checkpoint = 'work_dirs/gfl_demo_teacher/checkpoints/iter_1000.pth'
teacher = dict(
    type='GFL',
    data_preprocessor=_base_.detector.data_preprocessor,
    backbone={**_base_.detector.backbone, 'base_channels': 32},
    neck={**_base_.detector.neck, 'in_channels': [64, 128], 'out_channels': 64},
    bbox_head={**_base_.detector.bbox_head, 'in_channels': 64, 'feat_channels': 64},
    train_cfg=None,
    test_cfg=_base_.detector.test_cfg)
model = dict(teacher=dict(model=teacher, checkpoint=teacher_checkpoint))
custom_hooks = [dict(type='FixedThresholdHook', score=0.4)]
