# UniMatch for change detection on LEVIR-CD (5 % of the labels unless told otherwise:
# --cfg-options percent=10), siamese DeepLabV3+ with a ResNet-50, tiles of 256.
_base_ = [
    '../unimatch/_method.py', '../_base_/models/siamese-deeplabv3plus_r50.py',
    '../_base_/datasets/levir_cd_two_views.py', '../_base_/schedules/levir_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor', segmentor=_base_.segmentor, **_base_.method)
