# PrevMatch: UniMatch, and students of earlier iterations that label, too; (L_x + L_u + lambda L_prev) /
# (2 + lambda) with lambda from 0 to 1 at the middle of the training and back. A config adds how long
# that is, and how often a student is kept.
previous = dict(type='PreviousTeachersHook', size=8, ensemble=3, score=0.9, weight='triangle')
