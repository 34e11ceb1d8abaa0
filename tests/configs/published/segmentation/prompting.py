"""Cross prompting: what carries over from CPC-SAM, in which SAM itself learns."""

from __future__ import annotations

from . import pixels
from .. import readers as read
from ..table import Recipe, Repository, Row

REPOSITORIES = {"CP": Repository("JuzhengMiao/CPC-SAM", "8548b250")}
_ARGS, _TRAINER = "CP:train.py", "CP:trainer_dualmask.py"
_MODEL = "CP:segment_anything/modeling/sam_dualmask_same_prompt_class_random_large.py"
_UNET = "here a UNet learns, there the LoRA layers of SAM"

RECIPES = (
    Recipe(
        config="cpc_sam/unet_acdc.py",
        title="Cross prompting, ACDC",
        published_result="of a SAM that learns; it says nothing about this port",
        protocol="test volumes, mean of three classes and volumes",
        rows=(
            Row("total batch", (6, 6), read.total_batch, f"{_ARGS}:32"),
            Row("learning rate", 0.001, read.rate, f"{_ARGS}:37", ours=0.01, why=_UNET),
            Row("optimizer", "AdamW", read.optimizer, f"{_ARGS}:52", ours="SGD, momentum 0.9",
                why=_UNET),
            Row("weight decay", 0.1, read.decay, f"{_TRAINER}:trainer", ours=1e-4, why=_UNET),
            Row("iterations", 30000, read.iterations, f"{_ARGS}:26"),
            Row("iterations on labels alone", 5000, read.model("burn_in"), f"{_ARGS}:56"),
            Row("loss of labeled images", "0.2 cross entropy + 0.8 Dice", pixels.sup_loss,
                f"{_ARGS}:54"),
            Row("weight of what the other one labels", 0.4, read.model("unsup_weight"),
                f"{_ARGS}:66"),
            Row("loss of it", "0.5 cross entropy + 0.5 Dice", pixels.sup_loss,
                f"{_TRAINER}:trainer", ours="0.2 cross entropy + 0.8 Dice",
                why="a head has one loss for all images"),
            Row("prompts", "point", read.hook("CrossPromptHook", "prompt"), f"{_ARGS}:58"),
            Row("parts of a class that are asked about", 1, read.hook("CrossPromptHook", "most"),
                f"{_MODEL}:447"),
            Row("averaged teacher", "none", pixels.average, f"{_TRAINER}:trainer"),
            Row("evaluation", "Dice of each volume", pixels.metric, "CP:val.py:test_single_volume"),
        ),
        notes="The paper's two branches are decoders of one SAM, of which low-rank layers learn; here they are two networks, and SAM is frozen.",
    ),
)  # fmt: skip
