# The small RetinaNet with three sizes of anchors at each place: 20 pixels are an object, too.
_base_ = './retinanet_r18_small.py'
detector = dict(
    bbox_head=dict(
        anchor_generator=dict(
            _delete_=True,
            type='AnchorGenerator',
            scales=[2.5, 4.0, 6.0],
            ratios=[0.7, 1.0, 1.4],
            strides=[8, 16, 32, 64])))
