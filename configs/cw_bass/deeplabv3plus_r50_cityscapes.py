# CW-BASS for Cityscapes (1/16 unless told otherwise: --cfg-options split=1_4), DeepLabV3+ with a
# ResNet-50, crops of 721, plain cross entropy. Student and teacher see the same view.
_base_ = [
    './_method.py', '../_base_/models/deeplabv3plus_r50.py',
    '../_base_/datasets/cityscapes_same_view.py', '../_base_/schedules/voc_seg.py'
]
size = (721, 721)
crop = dict(type='RandomCrop', crop_size=size)
iterations = 240 * _base_.one_pass['1x16']
total_batch = (16, 16)
lr = 4e-3

labeled_images = _base_.labeled_images
labeled_images.pipeline[0].shared[3] = crop
other_images = _base_.other_images
other_images.pipeline[0].shared[2] = crop
train_dataloader = dict(dataset=dict(datasets=[labeled_images, other_images]))

segmentor = _base_.segmentor
segmentor.type = 'WindowedEncoderDecoder'  # adds probabilities where windows overlap
segmentor.data_preprocessor.size = size
segmentor.decode_head.num_classes = 19
segmentor.test_cfg = dict(mode='slide', crop_size=size, stride=(480, 480))
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    unsup_ramp=dict(length=iterations * 5 // 240, kind='linear'),  # 5 passes
    **_base_.method)

train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(optimizer=dict(lr=lr))
