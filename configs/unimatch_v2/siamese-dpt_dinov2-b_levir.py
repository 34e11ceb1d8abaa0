# UniMatch V2 for change detection on LEVIR-CD (5 % of the labels unless told otherwise: --cfg-options
# percent=10), DPT on DINOv2-B, crops of 252 from tiles of 256. Needs a file: --cfg-options
# checkpoint=dinov2_vitb14_pretrain.pth
_base_ = [
    './_method.py', '../_base_/models/dpt_dinov2-b.py', '../_base_/datasets/levir_cd_two_views.py',
    '../_base_/schedules/adamw_seg.py'
]
size = (252, 252)
crop = dict(type='RandomCrop', crop_size=size)
iterations = 60 * (_base_.unlabeled_count // 8)

labeled_pairs = _base_.labeled_pairs
labeled_pairs.pipeline[0].shared[3] = crop
unlabeled_pairs = _base_.unlabeled_pairs
unlabeled_pairs.pipeline[0].shared[2] = crop
train_dataloader = dict(dataset=dict(datasets=[labeled_pairs, unlabeled_pairs]))

segmentor = _base_.segmentor
segmentor.type = 'SiameseSegmentor'
segmentor.data_preprocessor.type = 'PairDataPreProcessor'
segmentor.data_preprocessor.size = size
segmentor.decode_head.num_classes = 2
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
