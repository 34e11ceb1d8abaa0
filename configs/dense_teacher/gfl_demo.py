# Dense Teacher on the demo scenes, one-stage detector. Weak and strong view share their geometry. A digit
# takes a larger share of the places than an object of COCO: 3 % of them instead of 1 %.
_base_ = '../_base_/demo/detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='DenseLabelHook', ratio=0.03)]

pack = dict(type='PackDetInputs')
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline = [
    dict(
        type='WeakStrongViews',
        shared=[
            dict(type='LoadDigitScene'), dict(type='LoadEmptyAnnotations'), _base_.affine],
        views=dict(unsup_teacher=[pack], unsup_student=_base_.strong_view[1:]))]
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
