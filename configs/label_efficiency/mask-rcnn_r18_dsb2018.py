# Label efficiency on real photographs: each nucleus (DSB2018, 256x256) with its mask, Mask R-CNN from scratch.
# `tools/benchmark_labels.py` sets the variables and puts the hooks of each method in.
_base_ = [
    '../_base_/models/mask-rcnn_r18_small.py', '../_base_/datasets/dsb2018_instances.py',
    '../_base_/schedules/label_efficiency_det.py'
]
optim_wrapper = dict(type='OptimWrapper')  # bfloat16 would round the boxes before RoIAlign
model = dict(type='TeacherStudentDetector', detector=_base_.detector, burn_in=_base_.burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.6)]
