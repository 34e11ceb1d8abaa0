"""Which images to label next, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .criteria import rarity, rarity_weights
from .features import k_center, nearest
from .findings import Audit, Choice, Look, features_of

RARE = 0.3  # weight of a class that is called rare
_WORST = {
    "faithfulness": {
        False: "what the teacher sees depends on the surroundings ({:.0%} is found again without)",
        True: "teacher and student disagree (the student gives {:.0%} to the teacher's label)",
    },
    "robustness": {
        False: "boxes move or vanish when the image is darker or smaller ({:.0%} overlap)",
        True: "labels change when the image is darker or smaller ({:.0%} stay)",
    },
    "confidence": {
        False: "the teacher is not sure (mean score {:.2f})",
        True: "the teacher is not sure (mean probability {:.2f})",
    },
}


def choose(looks: Sequence[Look], result: Audit, count: int, *, trained: bool) -> None:
    """Put the choices into `result`.

    With a trained network the next image is the one with the largest product of distance (of its
    features to what is labeled or chosen) and need (the mean of doubt and rarity); without one, the
    distance alone. Images that are foreign are left out: labeling noise teaches noise.
    """
    foreign = {odd.look.path for odd in result.odd if odd.kind == "foreign"}
    pool = [look for look in looks if look.role == "unlabeled" and look.path not in foreign]
    known = [look for look in looks if look.role == "labeled"]
    if not pool:
        return
    features, labeled = features_of(pool), features_of(known) if known else None
    weights = rarity_weights(result.objects.tolist())
    rare = np.array([rarity(look.classes, look.scores, weights) if len(weights) else 0.0
                     for look in pool])  # fmt: skip
    need = (np.array([look.doubt for look in pool]) + rare) / 2 if trained else None
    order, distances = k_center(features, count, known=labeled, priority=need)
    away = nearest(features, labeled)[0] if labeled is not None else None
    for place, distance in zip(order, distances, strict=True):
        look = pool[place]
        reasons = [*_rare(look, result, weights), *_doubtful(look, pool, result.pixels, trained)]
        reasons += _unlike(place, away)
        reasons = reasons or ["unlike what is labeled and what stands above it in this list"]
        known_distance = None if np.isinf(distance) else distance
        result.choices.append(Choice(look, float(rare[place]), known_distance, reasons))


def _rare(look: Look, result: Audit, weights: np.ndarray) -> list[str]:
    """The rarest class that may be in the image."""
    if not len(look.classes) or not len(weights):
        return []
    best = int((weights[look.classes] * look.scores).argmax())
    label = int(look.classes[best])
    if weights[label] < RARE:
        return []
    total, count = int(result.objects.sum()), int(result.objects[label])
    what = f"in {count} labeled images" if result.pixels else f"{count} of {total} labeled objects"
    return [f"may show {result.name(label)!r}, which is rare ({what})"]


def _doubtful(look: Look, pool: Sequence[Look], pixels: bool, trained: bool) -> list[str]:
    """What the teacher is weakest in, if it is weaker than in most of the images."""
    if not trained:
        return []
    if not look.criteria:
        return ["the teacher finds nothing here: it may be empty, or unknown to it"]
    if look.doubt < np.median([one.doubt for one in pool]):
        return []
    below = {
        name: float(np.mean([one.criteria[name] > value for one in pool if one.criteria]))
        for name, value in look.criteria.items()
    }
    worst = max(below, key=lambda name: below[name])
    return [_WORST[worst][pixels].format(look.criteria[worst])]


def _unlike(place: int, away: np.ndarray | None) -> list[str]:
    if away is None or away[place] < np.quantile(away, 0.75):
        return []
    share = float((away < away[place]).mean())
    return [f"unlike what is labeled (farther than {share:.0%} of the unlabeled images)"]
