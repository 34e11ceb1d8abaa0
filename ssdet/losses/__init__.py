"""Losses as pure functions of tensors, with weights and validity as arguments.

No framework beyond torch is imported. Not here: losses that a config names (`ssdet.models`), hooks
that add one to a step (`ssdet.hooks`), and weights that reach into the losses of MMDetection
(`ssdet.teacher_student.weights`).
"""

from .compactness import class_distances
from .consistency import mutual_consistency, sharpened_pair, soft_dice
from .contrast import (
    class_means,
    class_sums,
    cross_view_contrast,
    info_nce,
    local_contrast,
    separated,
)
from .correlation import correlation, propagate, regions, spread
from .dense import dense_boxes, dense_classes, dense_quality, quality_focal, richest
from .density import ascent, density_loss, mixture_density
from .dice import class_dice, weighted_dice
from .disagreement import (
    dice_loss,
    disagreement_focused,
    flatten_confidence,
    sharpen,
    squared_error,
)
from .distillation import gap_logit_l1, region_similarity, self_similarity
from .domains import domain_loss, reversed_gradient
from .early_learning import early_learning
from .focal import softmax_focal
from .neighbors import neighbor_energy
from .one_to_many import OneToManyLoss, aligned_focal, claimed
from .pixels import Reduction, effective_weights, masked_cross_entropy, pixel_mean
from .queries import beside_mask, direction_gap, distinct, query_votes, text_contrast
from .ranks import farthest_agents, order_probabilities, rank_divergence
from .separation import joint_focal, joint_probability, place_targets, split_places
from .uncertainty import certainty, listening_loss, listens, sides_likelihood

__all__ = [
    "OneToManyLoss",
    "Reduction",
    "aligned_focal",
    "ascent",
    "beside_mask",
    "certainty",
    "claimed",
    "class_dice",
    "class_distances",
    "class_means",
    "class_sums",
    "correlation",
    "cross_view_contrast",
    "dense_boxes",
    "dense_classes",
    "dense_quality",
    "density_loss",
    "dice_loss",
    "direction_gap",
    "disagreement_focused",
    "distinct",
    "domain_loss",
    "early_learning",
    "effective_weights",
    "farthest_agents",
    "flatten_confidence",
    "gap_logit_l1",
    "info_nce",
    "joint_focal",
    "joint_probability",
    "listening_loss",
    "listens",
    "local_contrast",
    "masked_cross_entropy",
    "mixture_density",
    "mutual_consistency",
    "neighbor_energy",
    "order_probabilities",
    "pixel_mean",
    "place_targets",
    "propagate",
    "quality_focal",
    "query_votes",
    "rank_divergence",
    "region_similarity",
    "regions",
    "reversed_gradient",
    "richest",
    "self_similarity",
    "separated",
    "sharpen",
    "sharpened_pair",
    "sides_likelihood",
    "soft_dice",
    "softmax_focal",
    "split_places",
    "spread",
    "squared_error",
    "text_contrast",
    "weighted_dice",
]
