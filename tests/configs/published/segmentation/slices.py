"""Medical slices: BCP, mean teacher, RAIL, shape priors."""

from __future__ import annotations

from . import pixels
from .. import readers as read
from ..table import Recipe, Repository, Row

REPOSITORIES = {
    "BCP": Repository("DeepMed-Lab-ECNU/BCP", "7879f988"),
    "SSL4MIS": Repository("HiLab-git/SSL4MIS", "06df6047"),
    "RAIL": Repository("Tournesol-Saturday/RAIL", "04cc4748"),
    "DAE": Repository("adigasu/Anatomically-aware_Uncertainty_for_Semi-supervised_Segmentation", "f3b21bb2"),
}
_CARRIED = "carried over to photographs: no paper has it"
UNPUBLISHED = {
    **{
        f"{method}/deeplabv3plus_r101_{data}.py": _CARRIED
        for method in ("bcp", "hssda", "dual_teacher", "mean_teacher_seg")
        for data in ("voc12", "cityscapes")
    },
    "shrinkmatch/deeplabv3plus_r101_voc12.py": "ShrinkMatch has no code for pixels",
    "shrinkmatch/deeplabv3plus_r101_cityscapes.py": "the same",
    "label_disk/deeplabv3plus_r101_voc12.py": "a way to work, of no paper",
    "umct/deeplabv3plus_r101_voc12.py": _CARRIED,
    "umct/unet_acdc.py": "UMCT is for volumes, and has no public code",
    "equivariance/unet_acdc.py": "DS6 is for volumes of vessels, and learns from labels alone",
    "noisy_dice/unet_acdc.py": "of no paper on these data",
}
TURNS = (
    "resize to 256 x 256; one of: 0.5: turn by 90 degrees to one side (0.5); flip 0.5, 0.5 / "
    "0.25: turn by up to 20 degrees to one side (1) / 0.25: nothing"
)
NO_DROPOUT = "MMSegmentation's UNet has no dropout"


def _slices(script: str, turns: str, network: str, metric: str, **at: int) -> list[Row]:
    """What BCP and the mean teacher have in common: the recipe of SSL4MIS."""
    return [
        Row("total batch", (12, 12), read.total_batch, f"{script}:{at['batch']}"),
        Row("processes", 1, pixels.processes, f"{script}:{at['batch']}"),
        Row("learning rate", 0.01, read.rate, f"{script}:{at['lr']}"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{script}:{at['sgd']}"),
        Row("weight decay of biases", 1e-4, pixels.bias_decay, f"{script}:{at['sgd']}"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{script}:{at['sgd']}"),
        Row("loss of labeled images", "0.5 cross entropy + 0.5 Dice", pixels.sup_loss,
            f"{script}:{at['loss']}"),
        Row("labeled view", "turned and mirrored, then resized to 256 x 256", read.view("sup"),
            turns, ours=TURNS,
            why="the same turns and mirrors, equally often, behind the resizing"),
        Row("channels of the UNet", (16, 256),
            lambda built: (built.model.student.backbone.base_channels,
                           16 * built.model.student.backbone.base_channels),
            network),
        Row("dropout in the UNet", "0.05 to 0.5, level by level", pixels.dropout, network,
            ours=0.0, why=NO_DROPOUT),
        Row("evaluation", "Dice of each volume", pixels.metric, metric),
    ]  # fmt: skip


_BCP = "BCP:code/ACDC_BCP_train.py"
BCP = Recipe(
    config="bcp/unet_acdc.py",
    title="BCP, ACDC",
    published_result="Dice 87.59 and 88.84 with 3 and 7 of 70 patients (recalled)",
    protocol="test volumes, mean of three classes and volumes",
    rows=(
        *_slices(
            _BCP, "BCP:code/dataloaders/dataset.py:78", "BCP:code/networks/unet.py:153",
            "BCP:code/utils/val_2d.py:20", batch=46, lr=41, sgd=334, loss=383,
        ),
        Row("schedule", "constant", pixels.schedule, f"{_BCP}:334"),
        Row("iterations", 40000, read.iterations, f"{_BCP}:37"),
        Row("of them on labeled slices", 10000, read.model("burn_in"), f"{_BCP}:37"),
        Row("weights of the losses", (2.0, 3.0), pixels.weights, f"{_BCP}:176"),
        Row("weight of pseudo labels beside labels", 0.5,
            lambda built: built.hook("CopyPasteHook")._regions.alpha, f"{_BCP}:48"),
        Row("side of the box", 2 / 3,
            lambda built: built.hook("CopyPasteHook")._regions.side, f"{_BCP}:135"),
        Row("one box for the batch", False,
            lambda built: built.hook("CopyPasteHook")._regions.per_image, f"{_BCP}:138"),
        Row("largest component of each class", 0, read.hook("LargestComponentHook", "min_area"),
            f"{_BCP}:89"),
        Row("averaged teacher", "0.99", pixels.average, f"{_BCP}:390"),
        Row("threshold", None, pixels.threshold, f"{_BCP}:112"),
        Row("pseudo labels are made in", "training mode", pixels.labels, f"{_BCP}:344",
            ours="eval mode", why="without dropout, a teacher's labels are those it is judged by"),
    ),
    notes="The student goes on from its last weights of the burn-in; the code from its best ones.",
)  # fmt: skip

_MEAN = "SSL4MIS:code/train_mean_teacher_2D.py"
MEAN_TEACHER = Recipe(
    config="mean_teacher_seg/unet_acdc.py",
    title="Mean teacher, ACDC",
    published_result="none in the repository",
    protocol="volumes, mean of three classes",
    rows=(
        *_slices(
            _MEAN, "SSL4MIS:code/dataloaders/dataset.py:156", "SSL4MIS:code/networks/unet.py:309",
            "SSL4MIS:code/val_2D.py:18", batch=52, lr=43, sgd=135, loss=168,
        ),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_MEAN}:180"),
        Row("iterations", 30000, read.iterations, f"{_MEAN}:37"),
        Row("without the consistency", 1000, read.model("burn_in"), f"{_MEAN}:170"),
        Row("weight of the consistency", 0.1, read.hook("ConsistencyHook", "weight"), f"{_MEAN}:60"),
        Row("iterations of its ramp", 30000, read.hook("ConsistencyHook", "ramp_length"),
            f"{_MEAN}:169"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.99)", pixels.average, f"{_MEAN}:57"),
        Row("the teacher sees", "noise of 0.1, at most 0.2", pixels.colors(), f"{_MEAN}:154",
            ours="none", why="no noise is added"),
    ),
)  # fmt: skip

_RAIL, _HOOK = "RAIL:code/train_RAIL.py", "RegionInstructionHook"
RAIL = Recipe(
    config="rail/unet_acdc.py",
    title="RAIL, slices in place of volumes",
    published_result="for volumes of teeth only",
    protocol="none for slices; what carries over is held here",
    rows=(
        Row("learning rate", 0.01, read.rate, f"{_RAIL}:67"),
        Row("weight decay, of all parameters", 4e-4, read.decay, f"{_RAIL}:85"),
        Row("iterations of both groups", 16000, read.iterations, f"{_RAIL}:53"),
        Row("schedule", "2,000 iterations from 0.001 of it, then cosine from 8,000 to 16,000, down "
            "to 1e-05", pixels.schedule, f"{_RAIL}:206"),
        Row("loss of labeled images", "1 cross entropy + 1 Dice", pixels.sup_loss, f"{_RAIL}:275"),
        Row("iterations of a turn", 390, read.hook(_HOOK, "period"), f"{_RAIL}:802"),
        Row("temperature", 0.1, read.hook(_HOOK, "temperature"), f"{_RAIL}:144"),
        Row("weights of regions and errors", (0.5, 0.05), read.hook(_HOOK, "region", "error"),
            f"{_RAIL}:97"),
        Row("weight of the best student", 20.0, read.hook(_HOOK, "consistency"), f"{_RAIL}:82"),
        Row("of it, flattened confidence", 0.1, read.hook(_HOOK, "flatten"), f"{_RAIL}:363"),
        Row("weight of the teacher", 10.0, read.hook(_HOOK, "teacher"), f"{_RAIL}:186"),
        Row("iterations of their ramp", 6000, read.hook(_HOOK, "ramp_length"), f"{_RAIL}:404"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.999)", pixels.average, f"{_RAIL}:194"),
    ),
)  # fmt: skip

_DAE = "DAE:code_DAE_MT/train_Abdomen_meanteacher_DAE_certainty.py"
SHAPES = Recipe(
    config="shape_prior/unet_acdc.py",
    title="Anatomically-aware uncertainty, slices in place of volumes",
    published_result="for volumes of the abdomen only",
    protocol="none for slices; what carries over is held here",
    rows=(
        Row("learning rate", 0.1, read.rate, f"{_DAE}:33"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{_DAE}:158"),
        Row("loss of labeled images", "0.5 cross entropy + 0.5 Dice", pixels.sup_loss, f"{_DAE}:220"),
        Row("iterations with the consistency", 8000,
            lambda built: read.iterations(built) - built.model.burn_in, f"{_DAE}:30"),
        Row("iterations of the prior", 50000, read.model("burn_in"),
            "DAE:code_DAE/train_DAE.py:31", ours=10000, why="student and prior learn together"),
        Row("weight of the consistency", 0.1, read.hook("ShapePriorHook", "weight"), f"{_DAE}:46"),
        Row("iterations of its ramp", 8000, read.hook("ShapePriorHook", "ramp_length"),
            f"{_DAE}:215"),
        Row("weight of the uncertainty", 1.0, read.hook("ShapePriorHook", "gamma"), f"{_DAE}:42"),
        Row("embedding of the prior", 512,
            lambda built: built.config.model.auxiliary.shape_prior.embedding, f"{_DAE}:40"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.99)", pixels.average, f"{_DAE}:81",
            ours="0.99", why="it begins as a copy of the student behind the burn-in"),
        Row("gradients are clipped at", None, read.clip, f"{_DAE}:223", ours=10,
            why="a rate of 0.1 without the normalizations of a V-Net"),
    ),
)  # fmt: skip
RECIPES = (BCP, MEAN_TEACHER, RAIL, SHAPES)
