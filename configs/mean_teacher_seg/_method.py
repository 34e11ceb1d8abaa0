# Soft Mean Teacher on photographs: the mean squared difference between the probabilities of student
# and teacher, after a burn-in on labeled images only. A config gives the weight its `ramp_length`.
method = dict(unsup_weight=0.0)  # no hard pseudo labels
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='ConsistencyHook', weight=100.0)]
