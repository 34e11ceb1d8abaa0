# Efficient Teacher on the demo scenes: a small YOLOX.
_base_ = ['../_base_/models/yolox_r18_tiny.py', './_scenes.py']
model = dict(type='TeacherStudentDetector', detector=_base_.detector, **_base_.method)
