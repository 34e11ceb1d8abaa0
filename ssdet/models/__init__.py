"""Parts with weights to learn (polishers, heads, priors), and how boxes are assigned to them.

Here belongs what a config names inside of `model`: heads, backbones, losses and assigners that
MMDetection and MMSegmentation do not have. Not here: the pair of teacher and student itself
(`ssdet.teacher_student`), and arithmetic without weights (`ssdet.losses`, `ssdet.thresholds`).
"""

from .annotated_first import AnnotatedFirstAssigner
from .aspp_head import PlainASPPHead
from .assigner import AdaptiveSampleAssigner
from .averaged import Averaged
from .channel_attention import ChannelCrossAttention
from .class_dice import ClassDiceLoss
from .class_texts import ClassTextProjector
from .clip import CLIPBackbone, DenseTextLabeler
from .compactness_head import CompactnessHead
from .correlation_head import CorrelationHead
from .dinov2 import DINOv2
from .domain_classifier import DomainClassifier
from .domain_norm import DomainBN, DomainGN
from .dpt_head import ExactDPTHead
from .efficientnet_lite import EfficientNetLite
from .fam3d_head import FAM3DHead
from .fcos_heads import IoUFCOSHead
from .feature_flow import FeatureFlow, SecondNorms
from .focal_loss import SoftmaxFocalLoss
from .guided_assigner import PredictionGuidedAssigner
from .hf_backbone import HFBackbone
from .hf_detector import HFDetector
from .hf_promptable import HFPromptedSegmentor
from .hf_segmentor import HFSegmentor
from .hf_zero_shot import HFZeroShotDetector
from .joint_fcos import JointConfidenceFCOSHead
from .label_autoencoder import LabelAutoEncoder
from .language_head import LanguageGuidedHead
from .layer_decay import LayerDecayConstructor
from .noise_tolerant_mask import BoundaryMaskLoss, NoiseTolerantMaskHead
from .ohem import HardPixelSampler
from .pixel_projector import PixelProjector
from .polishers import BoxPolisher, ClassPolisher
from .projection import FeatureProjector, ProjectionHead
from .query_projector import QueryProjector, RefinedQueryProjector
from .shifted_fpn import ShiftedFPN
from .siamese import PairDataPreProcessor, SiameseSegmentor
from .simple_pyramid import SimpleFeaturePyramid
from .timm_backbone import TimmBackbone
from .uncertain_fcos import UncertainFCOSHead
from .unet_decoder import UNetDecoderHead
from .windows import WindowedEncoderDecoder

__all__ = [
    "AdaptiveSampleAssigner",
    "AnnotatedFirstAssigner",
    "Averaged",
    "BoundaryMaskLoss",
    "BoxPolisher",
    "CLIPBackbone",
    "ChannelCrossAttention",
    "ClassDiceLoss",
    "ClassPolisher",
    "ClassTextProjector",
    "CompactnessHead",
    "CorrelationHead",
    "DINOv2",
    "DenseTextLabeler",
    "DomainBN",
    "DomainClassifier",
    "DomainGN",
    "EfficientNetLite",
    "ExactDPTHead",
    "FAM3DHead",
    "FeatureFlow",
    "FeatureProjector",
    "HFBackbone",
    "HFDetector",
    "HFPromptedSegmentor",
    "HFSegmentor",
    "HFZeroShotDetector",
    "HardPixelSampler",
    "IoUFCOSHead",
    "JointConfidenceFCOSHead",
    "LabelAutoEncoder",
    "LanguageGuidedHead",
    "LayerDecayConstructor",
    "NoiseTolerantMaskHead",
    "PairDataPreProcessor",
    "PixelProjector",
    "PlainASPPHead",
    "PredictionGuidedAssigner",
    "ProjectionHead",
    "QueryProjector",
    "RefinedQueryProjector",
    "SecondNorms",
    "ShiftedFPN",
    "SiameseSegmentor",
    "SimpleFeaturePyramid",
    "SoftmaxFocalLoss",
    "TimmBackbone",
    "UNetDecoderHead",
    "UncertainFCOSHead",
    "WindowedEncoderDecoder",
]
