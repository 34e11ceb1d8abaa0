# Dense Teacher for FCOS on 10 % of COCO. For 1 %: percent=1 batch="(1,1)" total_batch="(8,8)" cls_weight=3.0.
_base_ = './_method.py'
batch = (2, 2)  # labeled and unlabeled images per process and iteration
total_batch = (16, 16)
burn_in = 5000
cls_weight = 4.0

model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=burn_in,
    unsup_ramp=dict(length=burn_in, kind='linear'), crowd='background')
custom_hooks = [
    _base_.ema, dict(type='DenseLabelHook', ratio=0.01, cls=cls_weight), _base_.gallery]
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[_base_.labeled_images, _base_.other_images]))
