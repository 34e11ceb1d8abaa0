# LW-DETR: the sizes and the weights (COCO) of AnnaZhang/lwdetr_small_60e_coco. It takes images of
# any shape.
_base_ = './rfdetr_base.py'

model = dict(
    pretrained='AnnaZhang/lwdetr_small_60e_coco',
    config=dict(
        _delete_=True,
        model_type='lw_detr',
        backbone_config=dict(
            model_type='lw_detr_vit',
            image_size=1024,
            hidden_size=192,
            num_hidden_layers=10,
            num_attention_heads=12,
            window_block_indices=[0, 1, 3, 6, 7, 9],
            out_indices=[2, 4, 5, 9]),
        projector_scale_factors=[1.0],
        decoder_n_points=2),
    data_preprocessor=dict(pad_size_divisor=64))
