# Dual mean teachers for boxes: the second network has a teacher of its own, and boxes are learned
# that both teachers find.
method = dict(auxiliary_teachers=['second'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='DualTeacherHook', network='second', score=0.6, agreement=0.0, iou=0.6)]
