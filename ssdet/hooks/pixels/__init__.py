"""Hooks for segmentors: label clean-up, uncertainty, perturbed features, losses on pixels.

Not here: thresholds (`thresholds`), mixing of images (`mixing`), and methods with more than one
student (`networks`).
"""

from .adversarial_smoothness import AdversarialSmoothnessHook as AdversarialSmoothnessHook
from .bootstrap import BootstrapHook as BootstrapHook
from .boundary_loss import BoundaryLossHook as BoundaryLossHook
from .channel_memory import ChannelMemoryHook as ChannelMemoryHook
from .class_compactness import ClassCompactnessHook as ClassCompactnessHook
from .complementary_dropout import ComplementaryDropoutHook as ComplementaryDropoutHook
from .consistency import ConsistencyHook as ConsistencyHook
from .correlation_propagation import CorrelationPropagationHook as CorrelationPropagationHook
from .density_descent import DensityDescentHook as DensityDescentHook
from .dropout_uncertainty import DropoutUncertaintyHook as DropoutUncertaintyHook
from .early_learning import EarlyLearningHook as EarlyLearningHook
from .equivariance import EquivarianceHook as EquivarianceHook
from .feature_perturbation import FeaturePerturbationHook as FeaturePerturbationHook
from .hardness import HardnessHook as HardnessHook
from .largest_component import LargestComponentHook as LargestComponentHook
from .local_contrast import LocalContrastHook as LocalContrastHook
from .neighbor_loss import NeighborLossHook as NeighborLossHook
from .noisy_dice import NoisyDiceHook as NoisyDiceHook
from .rank_correlation import RankCorrelationHook as RankCorrelationHook
from .region_contrast import RegionContrastHook as RegionContrastHook
from .sample_adaptive import SampleAdaptiveHook as SampleAdaptiveHook
from .semixup import SemixupHook as SemixupHook
from .shape_prior import ShapePriorHook as ShapePriorHook
from .shrink_match import ShrinkMatchHook as ShrinkMatchHook
from .text_guidance import TextGuidanceHook as TextGuidanceHook
from .training_signal import TrainingSignalHook as TrainingSignalHook
from .uncertainty_fusion import UncertaintyFusionHook as UncertaintyFusionHook
from .unreliable_contrast import UnreliableContrastHook as UnreliableContrastHook
