# MGD: the student between a network that is twice as wide as a ResNet-34 (there are no
# published weights of it) and a deep one. What differs from the deep one, of DeepLabV3+:
wide_backbone = dict(depth=34, base_channels=128, init_cfg=None)
wide_head = dict(in_channels=1024, c1_in_channels=128)
student_backbone = dict(
    depth=18, init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet18_v1c'))
student_head = dict(in_channels=512, c1_in_channels=64)
method = dict(predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='MultiGranularityHook', learning='none', region_weight=100.0, image_weight=0.002),
    dict(type='CutMixHook', prob=1.0, boxes=3, area=(0.25, 0.5))]
