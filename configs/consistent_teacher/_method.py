# Consistent-Teacher; each process has its own scores, as published. Its head and its assignment are in ../_base_/models/retinanet_r50_fam3d.py.
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9995, schedule='mean'),
    dict(
        type='GMMThresholdHook',
        num_scores=100,
        policy='high',
        count_ratio=1.0,
        background_weight=0.01,
        sync=False)]
