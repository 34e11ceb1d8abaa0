"""Hooks that decide which of the teacher's labels the student learns from.

A threshold on a property of a label (score, objectness, agreement of two views), for boxes and for
pixels alike. What is shared is in `threshold_hook.py`; the maths (mixtures, quantiles) is in
`ssdet.thresholds`. Not here: selecting a box by its geometry (`boxes`).
"""

from .adaptive_assigner import AdaptiveAssignerHook as AdaptiveAssignerHook
from .calibrated_threshold import CalibratedThresholdHook as CalibratedThresholdHook
from .class_balance import ClassBalanceHook as ClassBalanceHook
from .confidence_weight import ConfidenceWeightHook as ConfidenceWeightHook
from .confidence_weight import MeanConfidenceThresholdHook as MeanConfidenceThresholdHook
from .correlation_threshold import CorrelationThresholdHook as CorrelationThresholdHook
from .dual_threshold import DualThresholdHook as DualThresholdHook
from .fixed_threshold import FixedThresholdHook as FixedThresholdHook
from .gmm_threshold import GMMThresholdHook as GMMThresholdHook
from .label_distribution_threshold import (
    LabelDistributionThresholdHook as LabelDistributionThresholdHook,
)
from .pseudo_label_assigner import PseudoLabelAssignerHook as PseudoLabelAssignerHook
from .quantile_threshold import QuantileThresholdHook as QuantileThresholdHook
from .reliability_gate import ReliabilityGateHook as ReliabilityGateHook
from .threshold_hook import ThresholdHook as ThresholdHook
