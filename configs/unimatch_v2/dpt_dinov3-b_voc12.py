# UniMatch V2 for VOC 2012 on DINOv3-B: crops of 512 (32 patches of 16), the rest as in
# dpt_dinov2-b_voc12.py. No published setting. Its weights: see _base_/models/dinov3-s_dpt.py.
_base_ = './dpt_dinov2-b_voc12.py'
size = (512, 512)
crop = dict(type='RandomCrop', crop_size=size)

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

dinov3 = dict(
    type='HFBackbone',
    pretrained='facebook/dinov3-vitb16-pretrain-lvd1689m',
    config=dict(
        model_type='dinov3_vit',
        num_register_tokens=4,
        hidden_size=768,
        num_attention_heads=12,
        intermediate_size=3072),
    out_indices=[3, 6, 9, 12],
    class_token=True)
model = dict(
    segmentor=dict(
        data_preprocessor=dict(size=size), backbone=dict(_delete_=True, **dinov3)))
