"""The files of a run folder, by name: who writes them and who reads them agree here."""

from pathlib import Path

METRICS, INFO, CONFIG = "metrics.jsonl", "run.json", "config.py"
GALLERY, STATS = Path("pseudo") / "gallery.jsonl", Path("pseudo") / "stats.jsonl"
