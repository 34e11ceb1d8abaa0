"""What an audit finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ...doctor.pictures import Picture
from ...doctor.sources import Role
from .boxes import Boxes, Suspect
from .features import Shift, unit
from .images import Source

Part = Literal["next", "labels", "data"]
PARTS: tuple[Part, ...] = ("next", "labels", "data")


@dataclass
class Look:
    """What is kept of an image after it was read.

    Attributes:
        source, place: Where it can be read again.
        path: Its file.
        features: (D,) of the backbone; None where no network looked at it.
        picture: Hash, pattern and statistics.
        found: Boxes that the network found in it.
        classes, scores: The classes that it found, and how sure it is of each object (boxes) or
            class (pixels).
        criteria: Mean faithfulness, robustness and confidence.
        doubt: 1 - the mean of their product.
    """

    source: Source
    place: int
    path: str
    features: np.ndarray | None
    picture: Picture
    found: Boxes | None = None
    classes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    criteria: dict[str, float] = field(default_factory=dict)
    doubt: float = 1.0

    @property
    def role(self) -> Role:
        """Labeled, unlabeled or validation."""
        return self.source.role


def features_of(looks: Sequence[Look]) -> np.ndarray:
    """Features (N, D) of images at which a network looked, each of length 1."""
    return unit(np.stack([look.features for look in looks if look.features is not None]))


@dataclass
class Choice:
    """An image to label.

    Attributes:
        look: The image.
        rarity: How likely it shows a class with few labels.
        distance: How far its features are from all that is labeled or chosen before it; None for
            the very first one.
        reasons: Why it, in words.
    """

    look: Look
    rarity: float
    distance: float | None
    reasons: list[str]


@dataclass(frozen=True)
class Twins:
    """Two images that look alike."""

    first: Look
    second: Look

    @property
    def leak(self) -> bool:
        """Whether a model is scored on what it trains on."""
        roles = {self.first.role, self.second.role}
        return "validation" in roles and len(roles) > 1


@dataclass(frozen=True)
class Odd:
    """An unlabeled image unlike the others: of another kind, or with a pattern over it."""

    kind: Literal["foreign", "pattern"]
    look: Look
    deviations: float


@dataclass
class Audit:
    """The result of an audit.

    Attributes:
        config, networks: What was audited, and what judged.
        classes: Names of the classes.
        pixels: Labels are label maps.
        parts: What was asked for.
        images: Number of images of each role.
        choices: Images to label, the most useful first.
        suspects: Labels that look wrong, the surest first.
        objects: Labeled objects of each class (boxes), or images that show it (pixels).
        missed: Of the objects, how many no network finds; empty for pixels.
        confusion: Pixels by given and by most probable class; None for boxes.
        twins: Images that look alike, leaks first.
        odd: Images unlike the others.
        shift: How far labeled and unlabeled images are apart.
        differs: What differs between the two, in words.
        notes: What could not be done, or must be known to read this.
    """

    config: str
    networks: list[str]
    classes: tuple[str, ...]
    pixels: bool
    parts: tuple[Part, ...] = PARTS
    images: dict[str, int] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    objects: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    missed: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    confusion: np.ndarray | None = None
    twins: list[Twins] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    shift: Shift | None = None
    differs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    palette: Any = None

    def name(self, label: int | None) -> str:
        """Name of a class."""
        if label is None:
            return "nothing"
        return self.classes[label] if label < len(self.classes) else f"class {label}"

    @property
    def leaks(self) -> list[Twins]:
        """Twins of which one is in the validation data."""
        return [twins for twins in self.twins if twins.leak]
