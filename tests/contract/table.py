"""How each hook is built for the contract test: one entry, or one for each kind of model.

A new hook gets its line here. `model` are settings of the pair, `beside` other hooks of the list,
before this one. `idle` are parameters without a gradient, as a regular expression of their names:
each with the reason.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from ..seg_helpers import tiny_fcn
from .loop import Loop

EMA = dict(type="TeacherEMAHook", momentum=0.9)
SECOND = dict(second=tiny_fcn())
# Batch norm would differ between two processes.
GROUPS = dict(type="GN", num_groups=4)
CORRELATION = dict(
    type="CorrelationHead", in_channels=32, num_classes=4, channels=8, norm_cfg=GROUPS
)
PROJECTOR = dict(type="PixelProjector", in_channels=8, channels=4, convs=1, norm_cfg=GROUPS)
FLOW = dict(type="FeatureFlow", dim=8, num_classes=4, hidden=8)
NORMS = dict(type="SecondNorms", channels=[8], norm_cfg=GROUPS)
COMPACT = dict(type="CompactnessHead", in_channels=8, num_classes=4, channels=4, hidden=4)
# The objects belong to the lower levels of FCOS; the others have no box to learn.
NO_BOX = r"student\.bbox_head\.scales\.[1-4]\.scale"
# The same of YOLOX, whose levels share nothing; all of them learn the objectness.
NO_OBJECT = r"student\.bbox_head\.multi_level_(cls_convs|conv_cls|conv_reg)\.\d\..*"
# And of RTMDet, whose levels share convolutions, and not norms and last layers.
NO_PLACE = r"student\.bbox_head\.(reg_convs|rtm_reg)\..*"
# Cascade R-CNN leaves out anchors that cross the border: of the upper levels all of them.
NO_ANCHOR = r"student\.neck\.fpn_convs\.[123]\.conv\..*"


@dataclass(frozen=True)
class Entry:
    """A hook on a tiny model."""

    name: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    beside: tuple[dict[str, Any], ...] = ()
    views: int = 1
    idle: str = ""

    def __str__(self):
        return f"{self.name}-{self.kind}"

    def build(self, work_dir):
        """A `Loop` with this hook behind an average of the weights."""
        average = () if self.name in ("TeacherEMAHook", "TemporaryTeachersHook") else (EMA,)
        hooks = [*average, *self.beside, dict(type=self.name, **self.settings)]
        return Loop(work_dir, self.kind, hooks, self.model, self.views)


def boxes(name, kind="retinanet", /, **given):
    return _entry(name, kind, given)


def pixels(name, kind="fcn", /, **given):
    return _entry(name, kind, given)


def both(name, /, **given):
    return [*boxes(name, **copy.deepcopy(given)), *pixels(name, **given)]


def _entry(name, kind, given):
    own = {key: given.pop(key) for key in ("model", "beside", "views", "idle") if key in given}
    return [Entry(name, kind, given, **own)]


THRESHOLDS = [
    *both("FixedThresholdHook", score=0.5),
    *boxes("FixedThresholdHook", "faster_rcnn", score=0.5, cls=0.9, rpn=0.9),
    *both("CalibratedThresholdHook", target=0.0, background=0.0, interval=1),
    *both("GMMThresholdHook", num_scores=10),
    *both("QuantileThresholdHook", share=0.5),
    *both("LabelDistributionThresholdHook", images=4, interval=1),
    *both("ClassBalanceHook"),
    *boxes(
        "DualThresholdHook",
        "faster_rcnn",
        online=True,
        interval=1,
        defaults=dict(confidence=(0.9, 0.5), objectness=(0.3, 0.1)),
    ),
    *pixels("DualThresholdHook", online=True, interval=1),
    *pixels("CorrelationThresholdHook"),
    *pixels("MeanConfidenceThresholdHook"),
    *both("ReliabilityGateHook", score=0.3),
    *pixels("ConfidenceWeightHook"),
]
BOXES = [
    *boxes("BackgroundScoreHook", "faster_rcnn"),
    *boxes("BoxFusionHook"),
    *boxes("BoxJitterHook", "faster_rcnn", max_spread=1.0),
    *boxes("BoxSpreadHook", max_spread=1.0),
    *boxes("ConsistencyVotingHook", "faster_rcnn"),
    *boxes("CostMiningHook", "deformable_detr", score=0.5, learn=True),
    *boxes(
        "CrossViewQueryHook",
        "dino",
        beside=(dict(type="CostMiningHook", score=0.5),),
        model=dict(
            auxiliary=dict(
                query_projector=dict(type="QueryProjector", channels=16, hidden=32, groups=4)
            )
        ),
    ),
    *boxes("DenseLabelHook", ratio=0.1),
    *boxes("HalfViewHook", "shifted_rcnn"),
    *boxes("HybridMatchingHook", "dino", switch=2),
    *boxes("MaskScoreHook", "mask_rcnn"),
    *boxes("LayerAgreementHook", "deformable_detr"),
    *boxes("ListenHook", "uncertain_fcos", idle=NO_BOX),
    *boxes(
        "OpenSetHook",
        "faster_rcnn",
        unknown=0.9,
        model=dict(
            auxiliary=dict(
                open_set=dict(type="FeatureProjector", in_channels=32, hidden=8, channels=3)
            )
        ),
    ),
    *boxes("PrototypeLabelHook", "faster_rcnn", margin=True, group=2),
    *boxes(
        "RoIContrastHook",
        "faster_rcnn",
        certain=0.3,
        model=dict(
            auxiliary=dict(
                projector=dict(type="FeatureProjector", in_channels=32, hidden=8, channels=4)
            ),
            auxiliary_teachers=["projector"],
        ),
    ),
    *boxes("PredictionGuidedAssignHook", "faster_rcnn"),
    *boxes("QueryMaskLabelHook", "mask2former", min_pixels=0.0),
    *boxes("QueryVotesHook", "deformable_detr", votes=1, agreement=0.0),
    *boxes("SelfAssignmentHook", "faster_rcnn"),
    *boxes("PseudoLabelAssignerHook", "yolox", high=0.955, idle=NO_OBJECT),
    *boxes("PseudoLabelAssignerHook", "rtmdet", high=0.955, idle=NO_PLACE),
    *boxes("AdaptiveAssignerHook", "rtmdet", epoch=4, idle=NO_PLACE),
    *boxes("SoftObjectnessHook", "yolox"),
    *boxes("StageAgreementHook", "cascade_rcnn", idle=NO_ANCHOR),
    *boxes("TaskSeparationHook", "joint_fcos", idle=NO_BOX),
    *boxes("TaskWeightHook", box=0.5),
    *boxes("TeacherGateHook", "faster_rcnn"),
    *boxes(
        "TextQueryHook",
        "dino",
        model=dict(
            auxiliary=dict(
                texts=dict(
                    type="ClassTextProjector", concepts=[["a"], ["b"], ["c"]], channels=16, dim=8
                )
            )
        ),
    ),
]
PIXELS = [
    *pixels("BootstrapHook"),
    *pixels("AdversarialSmoothnessHook"),
    *pixels("BoundaryLossHook"),
    *pixels("ChannelMemoryHook", "fcn_channels", model=dict(joint_pass=True)),
    *pixels(
        "ClassCompactnessHook", background=None, model=dict(auxiliary=dict(compactness=COMPACT))
    ),
    *pixels("ComplementaryDropoutHook", views=2),
    *pixels("ConsistencyHook"),
    *pixels(
        "CorrelationPropagationHook",
        regions=4,
        beside=(dict(type="CorrelationThresholdHook", start=0.3),),
        model=dict(auxiliary=dict(correlation=CORRELATION)),
    ),
    *pixels(
        "DensityDescentHook",
        layer="decode_head.convs",
        model=dict(auxiliary=dict(flow=FLOW, norms=NORMS)),
    ),
    *pixels("DropoutUncertaintyHook", "fcn_dropout", passes=2),
    *pixels("EarlyLearningHook"),
    *pixels("EquivarianceHook"),
    *pixels("FeaturePerturbationHook"),
    *pixels("HardnessHook", score=0.0),
    *pixels("LargestComponentHook"),
    *pixels("NeighborLossHook", radius=1, stride=2),
    *pixels("LocalContrastHook", model=dict(auxiliary=dict(representation=PROJECTOR))),
    *pixels("RegionContrastHook", model=dict(auxiliary=dict(representation=PROJECTOR))),
    *pixels("NoisyDiceHook"),
    *pixels("SampleAdaptiveHook", interval=1, views=2),
    *pixels("SemixupHook", views=2),
    *pixels("RankCorrelationHook", agents=8, layer="decode_head.convs"),
    *pixels(
        "ShapePriorHook",
        learn_for=5,
        model=dict(
            auxiliary=dict(
                shape_prior=dict(
                    type="LabelAutoEncoder", num_classes=4, size=(16, 16), channels=4, stages=2,
                    embedding=8,
                )
            )
        ),
    ),
    *pixels(
        "ShrinkMatchHook",
        threshold=0.3,
        model=dict(auxiliary=dict(shrink=tiny_fcn()["decode_head"])),
    ),
    *pixels("TrainingSignalHook", length=5),
    *pixels(
        "TextGuidanceHook",
        length=10,
        score=0.0,
        model=dict(auxiliary=dict(clip=dict(type="LabelerForTests"))),
    ),
    *pixels("UncertaintyFusionHook"),
    *pixels(
        "UnreliableContrastHook",
        ranks=(1, 4),
        positive=0.0,
        share=0.5,
        anchors=8,
        negatives=4,
        model=dict(
            auxiliary=dict(representation=PROJECTOR),
            auxiliary_teachers=["representation"],
        ),
    ),
]  # fmt: skip
MIXING = [
    *pixels("AdaptiveCutMixHook"),
    *pixels("ClassMixHook"),
    *pixels("CutMixHook", prob=1.0),
    *both("CopyPasteHook"),
    *pixels("EaseCutMixHook", beside=(dict(type="HardnessHook", score=0.0),), views=2),
    *boxes("EraseHook"),
    *boxes("FeaturePasteHook", prob=1.0),
    *boxes("OccludeHook", prob=1.0),
    *both("PatchShuffleHook"),
    *boxes("PseudoMixupHook"),
    *boxes("PseudoMosaicHook", size=(32, 64)),
    *both("StyleSwapHook", prob=1.0),
]
NETWORKS = [
    *pixels(
        "TemporaryTeachersHook",
        period=2,
        beside=(dict(type="CutMixHook"), dict(type="ClassMixHook")),
    ),
    *both("TeacherEMAHook"),
    *both("GuidedBurnInHook", length=2, model=dict(burn_in=1)),
    *both("HeldOutGuardHook", interval=1),
    *pixels(
        "CrossPromptHook",
        min_area=4,
        overlap=0.1,
        foreign=1.0,
        model=dict(
            auxiliary=SECOND,
            teacher=dict(model=dict(type="PromptedForTests", num_classes=4), beside_twin=True),
        ),
    ),
    *pixels("CrossSupervisionHook", model=dict(auxiliary=SECOND)),
    *pixels(
        "DualTeacherHook",
        agreement=0.0,
        model=dict(auxiliary=SECOND, auxiliary_teachers=["second"]),
    ),
    *boxes(
        "DomainAlignmentHook",
        model=dict(
            auxiliary=dict(domains=dict(type="DomainClassifier", in_channels=(16, 16, 16))),
        ),
    ),
    *pixels("DomainNormHook", "fcn_domains"),
    *pixels("FutureTeacherHook", steps=1),
    *boxes("NestedDropoutHook", "faster_rcnn", layer="roi_head.bbox_head.fc_cls"),
    *pixels("OrthogonalityHook"),
    *both("ReviewerHook", interval=1, momentum=0.5),
    *pixels("SelectiveTrainingHook", phases=[(1, "backbone")]),
    *pixels("NestedDropoutHook", layer="decode_head.conv_seg"),
    *pixels(
        "PartnerHook",
        network="second",
        model=dict(auxiliary=SECOND, teacher=dict(partner="second")),
    ),
    *pixels("TeacherFusionHook", model=dict(teacher=dict(model=tiny_fcn(), beside_twin=True))),
    *pixels(
        "MultiGranularityHook",
        learning="all",
        region_layer="decode_head.convs",
        logit_layer="decode_head.conv_seg",
        model=dict(auxiliary=dict(wide=tiny_fcn(channels=16), deep=tiny_fcn())),
    ),
    *pixels(
        "MutualDecodersHook",
        heads=["second", "third"],
        model=dict(auxiliary={name: tiny_fcn()["decode_head"] for name in ("second", "third")}),
    ),
    *pixels("PreviousTeachersHook", interval=1, score=0.0, weight="constant"),
    *boxes(
        "PolishHook",
        budget=16,
        model=dict(
            auxiliary=dict(
                box_polisher=dict(
                    type="BoxPolisher", in_channels=16, roi_size=3, channels=8, hidden=16
                ),
                cls_polisher=dict(
                    type="ClassPolisher", num_classes=3, in_channels=16, roi_size=3, hidden=16
                ),
            )
        ),
    ),
    *pixels(
        "RegionInstructionHook",
        period=1,
        model=dict(
            auxiliary={name: tiny_fcn() for name in ("second", "third", "fourth")},
            auxiliary_teachers=["third"],
        ),
    ),
]
MEMORY = [
    *pixels(
        "DateDecodersHook",
        "siamese",
        model=dict(auxiliary=dict(dates=tiny_fcn()["decode_head"])),
    ),
    *boxes("ExternalBoxesHook", labels=dict(type="LabelsForTests"), prior=0.9),
    *pixels(
        "ExternalLabelsHook",
        model=dict(
            auxiliary=dict(second=dict(type="ProjectionHead", in_channels=8, num_classes=3))
        ),
    ),
    *pixels("ExternalMapsHook", num_classes=3),
    *both("ImageTagHook", tags=dict(type="LabelsForTests")),
    *both("PartialLabelsHook", ignore=0.0),
    *boxes("PartialLabelsHook", "mask_rcnn"),
    *boxes("PseudoBoxMemoryHook", interval=1),
    *both("PseudoLabelDiskHook", root="/data", use=True),
    *boxes("PseudoLabelDiskHook", "mask_rcnn", root="/data", use=True),
]
OBSERVE = [
    *both("GalleryHook", interval=1),
    *both("PseudoLabelMonitorHook", interval=1, compare_interval=1),
    *both("OriginStatisticsHook", interval=1, roots=["/data"]),
]

ENTRIES = [*THRESHOLDS, *BOXES, *PIXELS, *MIXING, *NETWORKS, *MEMORY, *OBSERVE]
