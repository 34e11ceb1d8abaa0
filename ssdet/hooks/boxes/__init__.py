"""Hooks that select, weight or merge pseudo boxes by more than their score.

Jitter, the spread of the boxes that NMS merged, agreement of cascade stages or decoder layers,
weights for each task; dense labels, which take the place of boxes; how boxes are matched with the
queries of a DETR or with proposals, and queries made of boxes; labels and scores of masks.
Not here: plain thresholds (`thresholds`), and hooks that change images (`mixing`).
"""

from .background_score import BackgroundScoreHook as BackgroundScoreHook
from .box_fusion import BoxFusionHook as BoxFusionHook
from .box_jitter import BoxJitterHook as BoxJitterHook
from .box_spread import BoxSpreadHook as BoxSpreadHook
from .consistency_voting import ConsistencyVotingHook as ConsistencyVotingHook
from .cost_mining import CostMiningHook as CostMiningHook
from .cross_view_query import CrossViewQueryHook as CrossViewQueryHook
from .dense_label import DenseLabelHook as DenseLabelHook
from .half_view import HalfViewHook as HalfViewHook
from .hybrid_matching import HybridMatchingHook as HybridMatchingHook
from .layer_agreement import LayerAgreementHook as LayerAgreementHook
from .listen import ListenHook as ListenHook
from .mask_score import MaskScoreHook as MaskScoreHook
from .open_set import OpenSetHook as OpenSetHook
from .prediction_guided import PredictionGuidedAssignHook as PredictionGuidedAssignHook
from .prototype_label import PrototypeLabelHook as PrototypeLabelHook
from .query_masks import QueryMaskLabelHook as QueryMaskLabelHook
from .query_votes import QueryVotesHook as QueryVotesHook
from .roi_contrast import RoIContrastHook as RoIContrastHook
from .self_assignment import SelfAssignmentHook as SelfAssignmentHook
from .soft_objectness import SoftObjectnessHook as SoftObjectnessHook
from .stage_agreement import StageAgreementHook as StageAgreementHook
from .task_separation import TaskSeparationHook as TaskSeparationHook
from .task_weight import TaskWeightHook as TaskWeightHook
from .teacher_gate import TeacherGateHook as TeacherGateHook
from .text_query import TextQueryHook as TextQueryHook
