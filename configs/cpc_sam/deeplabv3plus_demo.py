# Cross prompting on the demo scenes. The promptable model is a SAM of two layers with random weights, so this
# shows how the parts go together and not what SAM knows: what it answers is rarely believed.
_base_ = '../_base_/demo/segmentation.py'
width = dict(hidden_size=32)
architecture = dict(
    model_type='sam',
    vision_config=dict(
        width,
        output_channels=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=64,
        patch_size=8,
        window_size=4,
        global_attn_indexes=[1],
        num_pos_feats=16,
        mlp_dim=64),
    prompt_encoder_config=dict(width, image_size=64, patch_size=8, mask_input_channels=4),
    mask_decoder_config=dict(width, mlp_dim=64, num_attention_heads=4, iou_head_hidden_dim=32))
model = dict(
    auxiliary=dict(second=_base_.segmentor),
    teacher=dict(
        model=dict(type='HFPromptedSegmentor', num_classes=3, config=architecture),
        beside_twin=True),
    predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='CrossPromptHook', background=0, seed_score=0.6, min_area=16),
    dict(type='ClassMixHook', source='labeled')]
