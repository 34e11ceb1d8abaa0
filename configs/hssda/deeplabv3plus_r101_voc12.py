# HSSDA's dual thresholds and patch shuffle for pixels, DeepLabV3+ with a ResNet-101, on
# VOC 2012 (classic protocol, 1/16 unless told otherwise): --cfg-options split=1_8.
_base_ = [
    '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]
burn_in = 2000

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    burn_in=burn_in)
custom_hooks = [
    dict(
        type='TeacherEMAHook',
        momentum=0.9996,
        schedule='linear',
        start=0.5,
        length=2000,
        begin=burn_in),
    dict(
        type='DualThresholdHook',
        interval=2000,
        criteria=('confidence', 'objectness', 'consistency'),
        second_view=dict(flip=True),
        fallback='mean_of_classes'),
    dict(type='PatchShuffleHook')
]
