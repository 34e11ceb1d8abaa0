# Three stages judge each pseudo box: a box that they do not agree on is left out.
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    # The scores are means over three stages, and lower than those of Faster R-CNN.
    dict(type='FixedThresholdHook', score=0.5, cls=0.8, rpn=0.8),
    dict(type='StageAgreementHook', threshold=0.8),
    dict(type='BackgroundScoreHook')]
