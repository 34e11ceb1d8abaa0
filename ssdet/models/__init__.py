"""Parts with weights to learn (polishers, heads, priors), and how boxes are assigned to them.

Here belongs what a config names inside of `model`: heads, backbones, losses and assigners that
MMDetection and MMSegmentation do not have. Not here: the pair of teacher and student itself
(`ssdet.teacher_student`), and arithmetic without weights (`ssdet.losses`, `ssdet.thresholds`).
"""

from .aspp_head import PlainASPPHead
from .assigner import AdaptiveSampleAssigner
from .averaged import Averaged
from .class_dice import ClassDiceLoss
from .dinov2 import DINOv2
from .dpt_head import ExactDPTHead
from .efficientnet_lite import EfficientNetLite
from .fam3d_head import FAM3DHead
from .focal_loss import SoftmaxFocalLoss
from .hf_detector import HFDetector
from .label_autoencoder import LabelAutoEncoder
from .ohem import HardPixelSampler
from .polishers import BoxPolisher, ClassPolisher
from .projection import ProjectionHead
from .siamese import PairDataPreProcessor, SiameseSegmentor
from .windows import WindowedEncoderDecoder

__all__ = [
    "AdaptiveSampleAssigner",
    "Averaged",
    "BoxPolisher",
    "ClassDiceLoss",
    "ClassPolisher",
    "DINOv2",
    "EfficientNetLite",
    "ExactDPTHead",
    "FAM3DHead",
    "HFDetector",
    "HardPixelSampler",
    "LabelAutoEncoder",
    "PairDataPreProcessor",
    "PlainASPPHead",
    "ProjectionHead",
    "SiameseSegmentor",
    "SoftmaxFocalLoss",
    "WindowedEncoderDecoder",
]
