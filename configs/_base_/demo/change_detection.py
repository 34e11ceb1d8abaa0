# What the demos of change detection start from: a small siamese DeepLabV3+, few labeled and many
# unlabeled pairs of scenes, a schedule of minutes on a CPU. A demo adds its hooks.
_base_ = [
    '../models/siamese-deeplabv3plus_r18_tiny.py', '../datasets/digits_pairs.py',
    '../schedules/demo_seg.py'
]
model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, burn_in=_base_.burn_in)
val_evaluator = dict(type='SegmentationMetric', boundary=1)  # pixel
test_evaluator = val_evaluator
