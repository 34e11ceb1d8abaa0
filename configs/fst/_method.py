# FST, deep with three virtual steps: a step costs four passes. On VOC the fifth of the pixels with the
# highest entropy is left out, and boxes of half a view are pasted; Cityscapes has neither.
method = dict(reduction='kept', joint_pass=True)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FutureTeacherHook', steps=3, kind='deep')]
