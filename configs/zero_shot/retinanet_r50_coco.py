# Grounding DINO labels the unlabeled images of COCO for a RetinaNet: it is asked for the names of the
# classes, and learns nothing. A folder in place of the name on the hub: --cfg-options
# model.teacher.model.pretrained=FOLDER.
_base_ = [
    '../_base_/models/retinanet_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]

classes = [
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat',
    'traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog',
    'horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella',
    'handbag', 'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
    'baseball bat', 'baseball glove', 'skateboard', 'surfboard', 'tennis racket', 'bottle',
    'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple', 'sandwich',
    'orange', 'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch',
    'potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote',
    'keyboard', 'cell phone', 'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book',
    'clock', 'vase', 'scissors', 'teddy bear', 'hair drier', 'toothbrush'
]
zero_shot = dict(
    type='HFZeroShotDetector',
    pretrained='IDEA-Research/grounding-dino-tiny',
    config=dict(model_type='grounding-dino'),  # of that size without further numbers
    classes=classes,
    score_thr=0.2,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32))
model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    teacher=dict(model=zero_shot),
    unsup_weight=1.0)
custom_hooks = [dict(type='FixedThresholdHook', score=0.35), _base_.gallery]
