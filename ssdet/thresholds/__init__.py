"""How thresholds are found: plain functions on tensors, for boxes and pixels alike.

Mixtures, quantiles, queues, votes, and measures of how far a label can be trusted; no framework
beyond torch is imported. Not here: what happens to the labels above and below
(`ssdet.hooks.thresholds`).
"""

from .average_precision import average_precision, mean_average_precision
from .calibration import choose, effective, lower_bound, moved, pooled_precision, score_grid
from .consensus import Fusion, confident_overlap, fuse_boxes, match_boxes
from .count import count_threshold
from .effective_number import effective_number_weights
from .entropy import certainty, entropy_of
from .epoch_scores import epoch_thresholds
from .fusion import Uncertainty, fuse, uncertainty_of, variance_of
from .gmm import Mixture, MixturePolicy, fit_mixtures, mixture_thresholds
from .hardness import ease, weighted_iou
from .label_distribution import expected_counts, ranked_thresholds
from .mining import cost_limit, mined
from .peaks import class_peaks, mean_peak, moved_threshold
from .prompts import Acceptance, Component, believed, components, repainted
from .prototypes import (
    class_cosines,
    groups_of,
    margins,
    propagated_labels,
    prototype_labels,
    prototypes_of,
)
from .quantile import quantile_thresholds
from .queue import push_scores
from .training_signal import Release, signal_threshold
from .two_means import DualThreshold, levels, truncate, two_means
from .two_teachers import Combination, agreed_weight, combine_certain
from .voting import clusters, vote

__all__ = [
    "Acceptance",
    "Combination",
    "Component",
    "DualThreshold",
    "Fusion",
    "Mixture",
    "MixturePolicy",
    "Release",
    "Uncertainty",
    "agreed_weight",
    "average_precision",
    "believed",
    "certainty",
    "choose",
    "class_cosines",
    "class_peaks",
    "clusters",
    "combine_certain",
    "components",
    "confident_overlap",
    "cost_limit",
    "count_threshold",
    "ease",
    "effective",
    "effective_number_weights",
    "entropy_of",
    "epoch_thresholds",
    "expected_counts",
    "fit_mixtures",
    "fuse",
    "fuse_boxes",
    "groups_of",
    "levels",
    "lower_bound",
    "margins",
    "match_boxes",
    "mean_average_precision",
    "mean_peak",
    "mined",
    "mixture_thresholds",
    "moved",
    "moved_threshold",
    "pooled_precision",
    "propagated_labels",
    "prototype_labels",
    "prototypes_of",
    "push_scores",
    "quantile_thresholds",
    "ranked_thresholds",
    "repainted",
    "score_grid",
    "signal_threshold",
    "truncate",
    "two_means",
    "uncertainty_of",
    "variance_of",
    "vote",
    "weighted_iou",
]
