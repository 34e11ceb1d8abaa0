"""File names in a run folder, shared by the code that writes them and the code that reads them."""

from pathlib import Path

METRICS, INFO, CONFIG = "metrics.jsonl", "run.json", "config.py"
CHECKPOINTS = "checkpoints"  # folder
ORIGINS = Path("pseudo") / "origins.json"
GALLERY, STATS = Path("pseudo") / "gallery.jsonl", Path("pseudo") / "stats.jsonl"
QUALITY = "quality.json"
WORST = Path("pseudo") / "worst.json"
BATCHES = {
    "labeled": Path("pseudo") / "batch_labeled.jpg",
    "unlabeled": Path("pseudo") / "batch_unlabeled.jpg",
}
ADVICE = Path("pseudo") / "advice.jsonl"

NEWEST = "auto"  # `resume` of a config: the newest checkpoint, or `load_from` where there is none
