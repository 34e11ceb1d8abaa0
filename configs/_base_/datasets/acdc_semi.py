# Medical slices, such as those of ACDC (70 patients and 1,312 slices for training): 8-bit images and
# label maps of the same size, in lists with lines `image mask` and `image`. Export the volumes to PNG
# first, and divide by patients, never by slices (docs/datasets.md has the command).
# All views of a slice are the same image: nothing moves between teacher and student.
data_root = 'data/acdc/'  # where the paths in the lists start
labeled_list = 'data/acdc/splits/train.1@10.txt'
unlabeled_list = 'data/acdc/splits/train.1@10-unlabeled.txt'
val_list = 'data/acdc/val.txt'
# Which volume a slice is of, and which of its slices: found in the path of the image.
volume = r'([^/]+?)_?slice_?(\d+)'
spacing = None  # mm between (slices, rows, columns), or a CSV table; None: distances in voxels
classes = ('background', 'right ventricle', 'myocardium', 'left ventricle')
crop_size = (256, 256)  # every slice is resized to it; also `size` of the model's data preprocessor
batch = (12, 12)  # labeled and unlabeled slices per process and iteration
total_batch = (12, 12)  # in all processes together; the learning rate is for as many
num_workers = 4

load = dict(type='LoadImageFromFile')
resize = dict(type='Resize', scale=crop_size, keep_ratio=False)
# Half of the slices are mirrored: left to right, upside down, or along one of the diagonals, equally
# often (BCP turns them by a multiple of 90 degrees and flips one of the axes, which is the same). Of the
# others half are turned by up to 20 degrees.
turns = dict(
    type='RandomChoice',
    transforms=[
        [
            dict(type='mmdet.Rotate', prob=0.5, level=10, max_mag=90.0, img_border_value=0),
            dict(type='RandomFlip', prob=[0.5, 0.5], direction=['horizontal', 'vertical'])],
        [dict(type='mmdet.Rotate', prob=1.0, max_mag=20.0, img_border_value=0)],
        []],
    prob=[0.5, 0.25, 0.25])
pack = dict(type='PackSegInputs')

labeled_images = dict(
    type='LabeledMasks',
    source=labeled_list,
    images=data_root,
    classes=classes,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, dict(type='LoadMask'), resize, turns],
            views=dict(sup=[pack]))])
other_images = dict(
    type='UnlabeledImages',
    source=unlabeled_list,
    data_root=data_root,
    pipeline=[
        dict(
            type='WeakStrongViews',
            shared=[load, resize, turns],
            views=dict(unsup_teacher=[pack], unsup_student=[pack]))])

train_dataloader = dict(
    batch_size=sum(batch),
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='LabeledUnlabeledSampler', batch=batch),
    dataset=dict(
        type='LabeledUnlabeledDataset',
        datasets=[labeled_images, other_images]))
val_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='LabeledMasks',
        source=val_list,
        images=data_root,
        classes=classes,
        test_mode=True,
        pipeline=[load, resize, dict(type='LoadMask'), pack]))
test_dataloader = val_dataloader

# What papers report, volume by volume; and the overlap of all slices together.
val_evaluator = [
    dict(type='VolumeMetric', volume=volume, spacing=spacing),
    dict(type='IoUMetric', iou_metrics=['mDice', 'mIoU'])]
test_evaluator = val_evaluator
