"""Log lines of other packages: floods become one line, and a riddle becomes advice."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Flood:
    """Lines that differ in what they name only.

    Attributes:
        pattern: What they look like; its groups are what is counted.
        summary: The one line that is logged instead of them.
    """

    pattern: re.Pattern[str]
    summary: Callable[[Counter[tuple[str, ...]]], str]
    seen: Counter[tuple[str, ...]] = field(default_factory=Counter)


class ReadableLines(logging.Filter):
    """A filter of a logger: lines of a flood are counted, and told when the flood is over."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self.logger = logger
        self.floods = [
            Flood(re.compile(r"paramwise_options -- .*:(\w+)=(.*)$"), _settings),
            Flood(re.compile(r"([^.]*)\..* is skipped since its requires_grad=False$"), _frozen),
            Flood(re.compile(r"()(?:.*) is duplicate\. It is skipped since bypass"), _duplicates),
        ]

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is logged as it is."""
        if record.levelno < logging.INFO:
            return True
        text = record.getMessage()
        for flood in self.floods:
            if match := flood.pattern.match(text):
                flood.seen[match.groups()] += 1
                return False
        if text.startswith(_DROPPED):
            return False
        for old, (new, level) in _REWRITTEN.items():
            if old in text:
                record.msg, record.args = new, ()
                record.levelno, record.levelname = level, logging.getLevelName(level)
        if unused := _UNUSED.fullmatch(text):
            record.msg, record.args = _left_out(unused[1].split(", ")), ()
            record.levelno, record.levelname = logging.INFO, "INFO"
        self._tell()
        return True

    def _tell(self) -> None:
        lines = [flood.summary(flood.seen) for flood in self.floods if flood.seen]
        for flood in self.floods:
            flood.seen.clear()
        for line in lines:
            self.logger.info(line)


def make_readable(logger: logging.Logger) -> None:
    """Let a run's logger say less, and say it better; calling it again changes nothing.

    pycocotools prints what it does, eight lines in each evaluation. Its table of results stays.
    """
    if not any(isinstance(one, ReadableLines) for one in logger.filters):
        logger.addFilter(ReadableLines(logger))
    from pycocotools import coco, cocoeval

    for module in (coco, cocoeval):
        vars(module)["print"] = _print_results  # found before the built-in one


def _print_results(*words: object, **options: Any) -> None:
    """`print`, but for lines that only say that something goes on."""
    if not _PROGRESS.match(" ".join(map(str, words))):
        print(*words, **options)


_PROGRESS = re.compile(
    r"(loading|Loading and|creating index|index created|Running per|Evaluate annotation type"
    r"|Accumulating evaluation|D(one|ONE) \(t=)"
)


_DROPPED = (
    # Behind the line that says that nothing was found.
    "Since `metrics` is an empty dict, the behavior to save",
    "Converting ground truth to coco format",
    # Whoever chose the metric need not choose the start of its name.
    "The prefix is not set in metric class",
)
_REWRITTEN = {
    "The testing results of the whole dataset is empty": (
        "No object was found in any image, so there is no AP. Early in a training that is usual. "
        "If it stays so: check data and classes (ssdet doctor CONFIG), and the learning rate",
        logging.WARNING,
    ),
}


# Weights that fill the model and have more; where some are missing, too, the text goes on.
_UNUSED = re.compile(
    r"The model and loaded state dict do not match exactly\s+"
    r"unexpected key in source state_dict: ([^\n]*)\s*"
)


def _left_out(names: list[str]) -> str:
    return (
        f"The weights fill the model; {len(names)} more values in the file have no place in it, "
        f"such as {names[0]}. Usual for a classifier's last layer"
    )


def _settings(seen: Counter[tuple[str, ...]]) -> str:
    """Which settings how many parameters have, other than the optimizer's own."""
    parts = []
    for key in dict.fromkeys(key for key, _ in seen):
        counts = {value: count for (name, value), count in seen.items() if name == key}
        total = sum(counts.values())
        if len(counts) > 3:
            parts.append(f"{key} of {len(counts)} values for {total} parameters")
        else:
            parts += [f"{key}={value} for {count} parameters" for value, count in counts.items()]
    return f"paramwise_cfg: {', '.join(parts)}"


def _frozen(seen: Counter[tuple[str, ...]]) -> str:
    parts = [f"{count} parameters of {owner}" for (owner,), count in seen.items()]
    return f"Not trained (requires_grad=False): {', '.join(parts)}"


def _duplicates(seen: Counter[tuple[str, ...]]) -> str:
    return f"{seen.total()} parameters are listed twice in the model, and trained once"
