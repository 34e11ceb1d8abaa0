# Cityscapes (labeled) -> Foggy Cityscapes (unlabeled) with the Mean Teacher of ../mean_teacher, its
# threshold and burn-in; labeled images get the low frequencies of foggy ones. The recipe is ours.
_base_ = '../mean_teacher/faster-rcnn_r50_foggy.py'
custom_hooks = [*_base_.custom_hooks, dict(type='StyleSwapHook', kind='fourier', share=0.02)]
