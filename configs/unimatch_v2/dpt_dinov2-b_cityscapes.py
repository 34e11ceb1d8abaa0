# UniMatch V2 for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_8), DPT on DINOv2-B,
# crops of 798, hard pixels of the labeled images, sliding windows. Needs a file: --cfg-options
# checkpoint=dinov2_vitb14_pretrain.pth
_base_ = [
    './_method.py', '../_base_/models/dpt_dinov2-b.py',
    '../_base_/datasets/cityscapes_two_views.py', '../_base_/schedules/adamw_seg.py'
]
size = (798, 798)
crop = dict(type='RandomCrop', crop_size=size)
iterations = 180 * _base_.one_pass['4x2']

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.type = 'WindowedEncoderDecoder'  # adds probabilities where windows overlap
segmentor.data_preprocessor.size = size
segmentor.decode_head.num_classes = 19
segmentor.decode_head.sampler = dict(type='HardPixelSampler', thresh=0.7, min_kept=100000)
segmentor.test_cfg = dict(mode='slide', crop_size=size, stride=(532, 532))
model = dict(type='TeacherStudentSegmentor', segmentor=segmentor, **_base_.method)

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
