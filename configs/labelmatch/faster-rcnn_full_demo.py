# LabelMatch on the demo scenes: as faster-rcnn_demo.py, and uncertain boxes are not ignored.
_base_ = './faster-rcnn_demo.py'
custom_hooks = [*_base_.custom_hooks, dict(type='SelfAssignmentHook')]
custom_hooks[1].uncertain_as = 'ambiguous'
