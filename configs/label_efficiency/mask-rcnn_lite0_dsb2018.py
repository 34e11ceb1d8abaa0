# Label efficiency from a realistic start: each nucleus (DSB2018) with its mask, Mask R-CNN with an
# ImageNet backbone. `tools/benchmark_labels.py` sets the variables and puts the hooks of each method in.
_base_ = [
    '../_base_/models/mask-rcnn_lite0_small.py', '../_base_/datasets/dsb2018_instances.py',
    '../_base_/schedules/label_efficiency_lite0.py'
]
model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    burn_in=_base_.burn_in,
    channels_last=True)  # faster for depthwise convolutions on a CPU
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.98, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.6)]
