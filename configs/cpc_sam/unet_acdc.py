# Cross prompting on slices of ACDC, after CPC-SAM: two UNets ask a frozen SAM ViT-B about their labels and learn
# the answers for each other. SAM's weights come from the hub, or from a folder: sam=FOLDER.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/schedules/acdc_seg.py'
]
sam = 'facebook/sam-vit-base'
batch = (6, 6)  # labeled and unlabeled slices per process and iteration
total_batch = (6, 6)

losses = [
    dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.2),
    dict(type='ClassDiceLoss', loss_weight=0.8)]
segmentor = _base_.segmentor
segmentor.decode_head.loss_decode = losses
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(second=segmentor),
    teacher=dict(
        model=dict(
            type='HFPromptedSegmentor',
            num_classes=_base_.num_classes,
            pretrained=sam,
            config=dict(model_type='sam')),
        beside_twin=True),
    unsup_weight=0.4,
    burn_in=5000,
    predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='CrossPromptHook', background=0, most=1)]
train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
val_cfg = dict(models=['student'])  # the teacher is its copy
