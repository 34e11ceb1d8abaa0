"""Methods made for medical images, in 2D."""

from ..recipe import Method

MEDICAL = (
    Method(
        "BCP",
        "Bai et al., CVPR 2023",
        "`CopyPasteHook(mode='bidirectional')`, `LargestComponentHook`, loss `ClassDiceLoss`",
        config="bcp",
        tests=(
            "tests/hooks/mixing/test_copy_paste_regions.py",
            "tests/losses/test_class_dice.py",
            "tests/datasets/test_medical.py",
        ),
        measured="mean IoU +9.5",
    ),
    Method(
        "Anatomically-aware uncertainty",
        "MICCAI 2022, MedIA 2024",
        "`ShapePriorHook`, network `LabelAutoEncoder`",
        config="shape_prior",
        tests=(
            "tests/losses/test_shape_prior.py",
            "tests/hooks/pixels/test_shape_prior.py",
            "tests/models/test_label_autoencoder.py",
        ),
        measured="mean IoU +0.9",
    ),
    Method(
        "Noise-weighted Dice",
        "annotation-efficient learning, TMI 2022",
        "`NoisyDiceHook`, `PseudoLabelDiskHook`",
        config="noisy_dice",
        tests=("tests/losses/test_agreement.py", "tests/hooks/boxes/test_weighted_losses.py"),
        measured="mean IoU +3.8",
    ),
    Method(
        "Cross prompting of SAM",
        "after CPC-SAM, Miao et al., MICCAI 2024 (two networks prompt a frozen SAM: our port)",
        "`CrossPromptHook`, teacher `HFPromptedSegmentor`",
        config="cpc_sam",
        tests=(
            "tests/thresholds/test_prompts.py",
            "tests/hooks/networks/test_cross_prompt.py",
            "tests/models/test_hf_promptable.py",
        ),
        measured="mean IoU +6.9, with a SAM of random weights that changes nothing",
    ),
    Method(
        "SS-Net in 2D",
        "Wu et al., MICCAI 2022",
        "`AdversarialSmoothnessHook`, `ClassCompactnessHook`, network `CompactnessHead`",
        config="ss_net",
        tests=(
            "tests/losses/test_compactness.py",
            "tests/hooks/pixels/test_adversarial_smoothness.py",
            "tests/hooks/pixels/test_class_compactness.py",
        ),
        measured="mean IoU +0.1",
    ),
    Method(
        "UMCT in 2D",
        "Xia et al., WACV 2020",
        "`UncertaintyFusionHook`",
        config="umct",
        tests=("tests/hooks/pixels/test_uncertainty_fusion.py", "tests/thresholds/test_fusion.py"),
        measured="mean IoU +6.9",
    ),
    Method(
        "MC-Net+ in 2D",
        "Wu et al., MedIA 2022",
        "`MutualDecodersHook`, network `UNetDecoderHead`",
        config="mc_net",
        tests=("tests/losses/test_consistency.py", "tests/hooks/networks/test_mutual_decoders.py"),
        measured="mean IoU +0.6",
    ),
    Method(
        "RAIL in 2D",
        "Region-Aware Instructive Learning, 2025",
        "`RegionInstructionHook`",
        config="rail",
        tests=(
            "tests/hooks/networks/test_region_instruction.py",
            "tests/losses/test_disagreement.py",
        ),
        measured="mean IoU +0.3",
    ),
)
