# Mask2Former with a Swin-T, of Hugging Face transformers: pip install 'ssdet[hf]'. The sizes are those
# of facebook/mask2former-swin-tiny-ade-semantic, whose weights (ADE20K) are read when a training
# starts; a folder with them does as well: --cfg-options segmentor.pretrained=FOLDER.
_base_ = './segformer_b0_hf.py'

model = dict(
    pretrained='facebook/mask2former-swin-tiny-ade-semantic',
    config=dict(
        _delete_=True,
        model_type='mask2former',
        backbone_config=dict(
            model_type='swin',
            embed_dim=96,
            depths=[2, 2, 6, 2],
            num_heads=[3, 6, 12, 24],
            window_size=7,
            drop_path_rate=0.3,
            out_features=['stage1', 'stage2', 'stage3', 'stage4'])))
# As its authors train it: 16 images, a tenth of the rate in the backbone.
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(encoder=dict(lr_mult=0.1)), norm_decay_mult=0.0),
    clip_grad=dict(max_norm=0.01, norm_type=2))
