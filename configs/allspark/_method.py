# AllSpark: (L_x + L_u) / 2, every pixel of the student's own labels, one pass of both.
method = dict(sup_weight=0.5, unsup_weight=0.5, joint_pass=True)
neck = dict(type='ChannelCrossAttention', in_channels=512, channels=512, heads=2, dropout=0.1)
average = dict(type='TeacherEMAHook', momentum=0.0)  # the student labels for itself
