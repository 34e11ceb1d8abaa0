# iMAS: how easy an image is decides the strength of its view, its weight, and whether CutMix takes
# place. The first strong view has other intensities, the second one is the weak view with CutMix.
method = dict(unsup_weight=3.0, joint_pass=True)
intensity = [
    dict(
        type='RandomIntensity',
        max_ops=2,
        random_number=False,
        operations=[
            'identity', 'autocontrast', 'equalize', 'invert', 'blur', 'contrast', 'brightness',
            'color', 'sharpness', 'posterize', 'solarize', 'hue']),
    dict(type='PackSegInputs')]
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='HardnessHook', score=0.95),
    dict(type='EaseCutMixHook', view='unsup_student_2', side=(0.1, 0.9))]
