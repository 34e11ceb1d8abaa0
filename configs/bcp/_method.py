# Bidirectional copy-paste carried over to photographs: a patch for each image, and no cleaning of
# components, since an image shows several objects of a class.
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='CopyPasteHook', mode='bidirectional', per_image=True)]
