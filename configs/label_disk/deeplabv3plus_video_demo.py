# Demo: two labeled frames in each of 50 short videos. A batch is of one video, and the labels of its
# frames are kept on disk, refined and trained on.
_base_ = './deeplabv3plus_demo.py'

count = 50  # videos, each of so many frames
frames = 12
labeled = 2  # labeled frames of each video
batch = (2, 6)  # labeled and unlabeled frames per iteration
videos = dict(type='DigitVideos', frames=frames)
labeled_scenes = dict(**_base_.labeled_scenes)
labeled_scenes.update(count=count, labeled=labeled, **videos)
unlabeled_scenes = dict(**_base_.unlabeled_scenes)
unlabeled_scenes.update(count=count, labeled=labeled, **videos)
custom_hooks = [
    *_base_.custom_hooks[:2],
    dict(**_base_.custom_hooks[2], root='digit-scenes-0/train-videos')]  # frames have equal names
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch, group_by='folder'),
    dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
val_dataloader = dict(dataset=dict(count=10, **videos))
test_dataloader = val_dataloader
