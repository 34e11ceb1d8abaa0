# RT-DETR v2 with a ResNet-50-D: the sizes and the weights of PekingU/rtdetr_v2_r50vd.
_base_ = './rtdetr-v2_r18.py'

model = dict(
    pretrained='PekingU/rtdetr_v2_r50vd',
    config=dict(
        _delete_=True,
        model_type='rt_detr_v2',
        backbone_config=dict(model_type='rt_detr_resnet', out_indices=[2, 3, 4])))
