# RankMatch: UniMatch, and the order in which pixels resemble others: 0.2 of the unsupervised weight
# of 0.5 is the published factor of 0.1.
ranks = dict(type='RankCorrelationHook', weight=0.2, agents=64, top=4)
