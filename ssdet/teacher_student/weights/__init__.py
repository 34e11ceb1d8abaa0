"""Weights of boxes and regions to ignore, in the losses of any MMDetection detector.

After `honor_weights(detector)`, `detector.loss(inputs, samples)` honors, for every sample:

* `gt_instances.weight_cls (N,)`: a prior, proposal or query that is assigned to box j has its
  classification loss (objectness included) multiplied by `weight_cls[j]`.
* `gt_instances.weight_box (N,)`: its other losses (box, IoU, centerness, DFL, mask) are
  multiplied by `weight_box[j]`.
* `gt_instances.weight_mask (N,)`: its loss of the mask is multiplied by this too.
* `gt_instances.max_stage (N,)`: from this stage of a cascade on (counted from 0), both are 0.
* `gt_instances.background_weight`, a float in the metainfo: multiplies the classification loss of
  that image's negatives.
* `ignored_instances.bboxes (K, 4)`: a negative of which more than half lies in one of these
  regions (for points: that lies inside of one) gets no gradient.

What is absent counts as 1 or as empty; with nothing at all the losses are the plain detector's, bit
for bit. The weights are read when the targets are assigned and enter where a loss module
multiplies: no normalizer ever sees them. It stays the *count* that it would be with weights 1, so
that all weights equal to c give c times the loss; dividing by the sum of the weights would undo
them. (Only where negatives are counted, in the sampled classification losses of two-stage detectors
and in the query losses with background weight, does an ignored negative leave the count.)

The denoising queries of DINO follow the weights of the box that they were made from; they know no
regions to ignore.
"""

from .honor import honor_weights

__all__ = ["honor_weights"]
