"""Hooks about the networks themselves: averages of weights, several teachers, several students.

Not here: the networks' layers (`ssdet.models`) and losses (`ssdet.losses`).
"""

from .cross_prompt import CrossPromptHook as CrossPromptHook
from .cross_supervision import CrossSupervisionHook as CrossSupervisionHook
from .domain_alignment import DomainAlignmentHook as DomainAlignmentHook
from .domain_norm import DomainNormHook as DomainNormHook
from .dual_teacher import DualTeacherHook as DualTeacherHook
from .future_teacher import FutureTeacherHook as FutureTeacherHook
from .guided_burn_in import GuidedBurnInHook as GuidedBurnInHook
from .held_out_guard import HeldOutGuardHook as HeldOutGuardHook
from .multi_granularity import MultiGranularityHook as MultiGranularityHook
from .mutual_decoders import MutualDecodersHook as MutualDecodersHook
from .nested_dropout import NestedDropoutHook as NestedDropoutHook
from .orthogonality import OrthogonalityHook as OrthogonalityHook
from .partner import PartnerHook as PartnerHook
from .polish import PolishHook as PolishHook
from .previous_teachers import PreviousTeachersHook as PreviousTeachersHook
from .region_instruction import RegionInstructionHook as RegionInstructionHook
from .reviewer import ReviewerHook as ReviewerHook
from .selective_training import SelectiveTrainingHook as SelectiveTrainingHook
from .teacher_ema import TeacherEMAHook as TeacherEMAHook
from .teacher_fusion import TeacherFusionHook as TeacherFusionHook
from .temporary_teachers import TemporaryTeachersHook as TemporaryTeachersHook
