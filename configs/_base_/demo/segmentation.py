# What the demo of every method for segmentation starts from: a small DeepLabV3+, few labeled and
# many unlabeled scenes of digits, a schedule of minutes on a CPU. A demo adds its hooks.
_base_ = [
    '../models/deeplabv3plus_r18_tiny.py', '../datasets/digits_seg.py',
    '../schedules/demo_seg.py'
]
score = 0.6  # pseudo labels below it are not trained on, by methods with one threshold
model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, burn_in=_base_.burn_in)
val_evaluator = dict(_delete_=True, type='SegmentationMetric', boundary=1)  # pixel
test_evaluator = val_evaluator
