# UniMatch V2 for label maps of COCO (1/64 unless told otherwise: --cfg-options split=1_512), DPT on
# DINOv2-B, crops of 518. Needs a file: --cfg-options checkpoint=dinov2_vitb14_pretrain.pth
_base_ = [
    './_method.py', '../_base_/models/dpt_dinov2-b.py',
    '../_base_/datasets/coco_seg_two_views.py', '../_base_/schedules/adamw_seg.py'
]
segmentor = _base_.segmentor
segmentor.decode_head.num_classes = 81
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)
