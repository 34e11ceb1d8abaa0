# Dual mean teachers for pixels: the second network has a ResNet-50 and a teacher of its own, and
# pixels are learned that both teachers agree on.
second_backbone = dict(
    depth=50, init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet50_v1c'))
method = dict(auxiliary_teachers=['second'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='DualTeacherHook', network='second', score=0.6, agreement=0.6),
    dict(type='CutMixHook', prob=0.5)]
