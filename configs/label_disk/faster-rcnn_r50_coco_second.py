# Second round of self-training on 10 % of COCO: plain training of a fresh detector on the labeled
# images and on the labels that the first round stored. Say where it is: --cfg-options bank=...
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]
bank = 'work_dirs/faster-rcnn_r50_coco/pseudo/coco.json'

model = dict(type='TeacherStudentDetector', detector=_base_.detector)
custom_hooks = [dict(type='TeacherEMAHook', momentum=0.999, schedule='mean')]

banked_images = dict(
    type='CocoDataset',
    ann_file=bank,
    data_prefix=dict(img=''),  # the stored labels have whole paths
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[_base_.load],
            views=dict(sup=_base_.sup_view))])
train_dataloader = dict(
    dataset=dict(labeled=2, datasets=[_base_.labeled_images, banked_images]))
