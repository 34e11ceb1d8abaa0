# Dense Teacher on the demo scenes, one-stage detector. Weak and strong view share their geometry. A digit
# takes a larger share of the places than an object of COCO: 3 % of them instead of 1 %.
_base_ = '../_base_/demo/detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='DenseLabelHook', ratio=0.03)]
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline = [_base_.same_geometry]
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
