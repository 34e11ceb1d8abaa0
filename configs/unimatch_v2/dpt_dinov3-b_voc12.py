# UniMatch V2 for VOC 2012 on DINOv3-B; else as in dpt_dinov2-b_voc12.py. Not a published setting.
_base_ = ['./dpt_dinov2-b_voc12.py', './_dinov3-b.py']

datasets = _base_.train_dataloader.dataset.datasets
datasets[0].pipeline[0].shared[3] = datasets[1].pipeline[0].shared[2] = _base_.dinov3_crop
train_dataloader = dict(dataset=dict(datasets=datasets))
model = dict(
    segmentor=dict(
        data_preprocessor=dict(size=_base_.dinov3_size),
        backbone=dict(_delete_=True, **_base_.dinov3)))
