# The same labels, and a teacher for the rest.
_base_ = ['./segmentation_baseline.py']
scenes = dict(type='DigitScenesSeg', count=24, labeled=8, image_size=32, objects=(1, 2))
model = dict(_delete_=True, type='TeacherStudentSegmentor', segmentor={{_base_.segmentor}})
train_dataloader = dict(
    batch_size=4,
    collate_fn=dict(type='pseudo_collate'),
    sampler=dict(_delete_=True, type='LabeledUnlabeledSampler', batch=(2, 2)),
    dataset=dict(
        _delete_=True,
        type='LabeledUnlabeledDataset',
        datasets=[
            dict(**scenes, split='labeled', pipeline=[
                dict(type='WeakStrongViews', shared={{_base_.load}},
                     views=dict(sup={{_base_.pack}}))]),
            dict(**scenes, split='unlabeled', pipeline=[
                dict(type='WeakStrongViews', shared={{_base_.load}},
                     views=dict(unsup_teacher={{_base_.pack}},
                                unsup_student={{_base_.pack}}))]),
        ]))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9),
    dict(type='FixedThresholdHook', score=0.1),
    dict(type='GalleryHook', interval=3, images=1, size=64)
]
