"""Mechanisms of the literature, one file each; a method is a list of them."""

from .background_score import BackgroundScoreHook
from .boundary_loss import BoundaryLossHook
from .box_fusion import BoxFusionHook
from .box_jitter import BoxJitterHook
from .box_spread import BoxSpreadHook
from .classmix import ClassMixHook
from .complementary_dropout import ComplementaryDropoutHook
from .confidence_weight import ConfidenceWeightHook, MeanConfidenceThresholdHook
from .consistency import ConsistencyHook
from .copy_paste import CopyPasteHook
from .correlation_threshold import CorrelationThresholdHook
from .cross_supervision import CrossSupervisionHook
from .cutmix import CutMixHook
from .dropout_uncertainty import DropoutUncertaintyHook
from .dual_teacher import DualTeacherHook
from .dual_threshold import DualThresholdHook
from .equivariance import EquivarianceHook
from .erase import EraseHook
from .feature_perturbation import FeaturePerturbationHook
from .future import FutureTeacherHook
from .gallery import GalleryHook
from .gmm_threshold import GMMThresholdHook
from .label_bank import PseudoLabelBankHook
from .label_distribution_threshold import LabelDistributionThresholdHook
from .label_store import PseudoLabelStoreHook
from .largest_component import LargestComponentHook
from .mean_teacher import TeacherEMAHook
from .multi_granularity import MultiGranularityHook
from .noisy_dice import NoisyDiceHook
from .patch_shuffle import PatchShuffleHook
from .polish import PolishHook
from .pseudo_mixup import PseudoMixupHook
from .pseudo_mosaic import PseudoMosaicHook
from .quantile_threshold import QuantileThresholdHook
from .region_instruction import RegionInstructionHook
from .second_source import SecondSourceHook
from .shape_prior import ShapePriorHook
from .shrink_match import ShrinkMatchHook
from .stage_agreement import StageAgreementHook
from .step_hook import StepHook
from .task_weight import TaskWeightHook
from .threshold import FixedThresholdHook
from .threshold_hook import ThresholdHook
from .uncertainty_fusion import UncertaintyFusionHook

__all__ = [
    "BackgroundScoreHook",
    "BoundaryLossHook",
    "BoxFusionHook",
    "BoxJitterHook",
    "BoxSpreadHook",
    "ClassMixHook",
    "ComplementaryDropoutHook",
    "ConfidenceWeightHook",
    "ConsistencyHook",
    "CopyPasteHook",
    "CorrelationThresholdHook",
    "CrossSupervisionHook",
    "CutMixHook",
    "DropoutUncertaintyHook",
    "DualTeacherHook",
    "DualThresholdHook",
    "EquivarianceHook",
    "EraseHook",
    "FeaturePerturbationHook",
    "FixedThresholdHook",
    "FutureTeacherHook",
    "GMMThresholdHook",
    "GalleryHook",
    "LabelDistributionThresholdHook",
    "LargestComponentHook",
    "MeanConfidenceThresholdHook",
    "MultiGranularityHook",
    "NoisyDiceHook",
    "PatchShuffleHook",
    "PolishHook",
    "PseudoLabelBankHook",
    "PseudoLabelStoreHook",
    "PseudoMixupHook",
    "PseudoMosaicHook",
    "QuantileThresholdHook",
    "RegionInstructionHook",
    "SecondSourceHook",
    "ShapePriorHook",
    "ShrinkMatchHook",
    "StageAgreementHook",
    "StepHook",
    "TaskWeightHook",
    "TeacherEMAHook",
    "ThresholdHook",
    "UncertaintyFusionHook",
]
