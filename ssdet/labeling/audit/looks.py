"""Images that look alike, leaks, what has shifted, and images unlike the others."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ...doctor.foreign import drifts, outliers, patterned
from ...doctor.near import near_pairs, near_twins
from ...doctor.sources import Role
from .features import nearest, shift, standardized
from .findings import Audit, Look, Odd, Twins, features_of

ROLES: tuple[Role, ...] = ("labeled", "unlabeled", "validation")
FOREIGN = 3.0  # robust standard deviations of the logarithm of a distance
_ENOUGH = 5


def compare(looks: Sequence[Look], result: Audit) -> None:
    """Put into `result` what the images say of each other."""
    parts = {role: [look for look in looks if look.role == role] for role in ROLES}
    result.twins = sorted(_twins(parts), key=lambda twins: not twins.leak)
    labeled, unlabeled = parts["labeled"], parts["unlabeled"]
    result.odd = [*foreign(looks), *_patterns(unlabeled)]
    if min(len(labeled), len(unlabeled)) >= _ENOUGH:
        result.shift = shift(features_of(labeled), features_of(unlabeled))
    known, found = (
        np.array([look.picture.statistics for look in part]) for part in (labeled, unlabeled)
    )
    for change in drifts(known, found):
        word = "more" if change.found > change.known else "less"
        result.differs.append(f"{word} {change.name}")


def _twins(parts: dict[Role, list[Look]]) -> list[Twins]:
    found = []
    hashed = {role: [look for look in looks if look.picture.bits is not None]
              for role, looks in parts.items()}  # fmt: skip
    bits = {role: np.array([look.picture.bits for look in looks], np.uint64)
            for role, looks in hashed.items()}  # fmt: skip
    for number, role in enumerate(ROLES):
        own = hashed[role]
        found += [Twins(own[later], own[earlier]) for later, earlier in near_twins(bits[role])]
        for other in ROLES[number + 1 :]:
            pairs = near_pairs(bits[role], bits[other])
            found += [Twins(own[one], hashed[other][two]) for one, two in pairs]
            found += _same_file(parts[role], parts[other])
    unique = {(id(twins.first), id(twins.second)): twins for twins in found}
    return list(unique.values())


def _same_file(first: Sequence[Look], second: Sequence[Look]) -> list[Twins]:
    """One file in two parts, blank ones included."""
    theirs = {os.path.realpath(look.path): look for look in second}
    ours = [(look, theirs.get(os.path.realpath(look.path))) for look in first]
    return [Twins(look, other) for look, other in ours if other is not None]


def foreign(looks: Sequence[Look]) -> list[Odd]:
    """Unlabeled images that are far away from all labeled ones, compared with the others."""
    labeled, unlabeled = ([look for look in looks if look.role == role] for role in ROLES[:2])
    if len(unlabeled) < 2:
        return []
    features = features_of(unlabeled)
    # Foreign images may come in dozens that are like each other.
    enough = len(labeled) >= _ENOUGH
    known = features_of(labeled) if enough else features
    # What no labeled image shows may be a small part of all that the backbone tells apart.
    found, own = standardized(features, known), standardized(known, known)
    away = nearest(found, own, themselves=not enough)[0]
    logarithms = np.log(np.maximum(away, 1e-6))
    deviations = outliers(logarithms.tolist())
    highest = [int(place) for place in np.argsort(-deviations) if deviations[place] > FOREIGN]
    return [Odd("foreign", unlabeled[place], float(deviations[place])) for place in highest]


def _patterns(unlabeled: Sequence[Look]) -> list[Odd]:
    """Images with a repeated pattern that the others of their file format lack."""
    found = patterned([look.picture for look in unlabeled])
    odd = [Odd("pattern", unlabeled[place], deviations) for place, deviations in found]
    return sorted(odd, key=lambda one: -one.deviations)
