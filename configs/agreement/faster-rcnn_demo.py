# Demo: an older teacher confirms pseudo boxes. They teach a class where the teacher is surer of it than
# the student (SemiETS); patches of other objects cover parts of them (MultiAugs).
_base_ = '../_base_/demo/two_stage.py'

unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].views.unsup_student = _base_.unerased_view  # OccludeHook covers
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='ReviewerHook', interval=100),
    dict(type='TeacherGateHook'),
    dict(type='OccludeHook', prob=0.5, fill='object')]
