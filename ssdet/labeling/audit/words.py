"""What an audit says in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from .boxes import Kind, Suspect
from .findings import Audit, Odd, Twins

SURE = 0.3  # score from which a suspect is counted in a summary
KINDS: dict[Kind, tuple[str, str]] = {
    "swapped": ("Swapped classes", "The teacher sees another class in this place."),
    "badly placed": ("Badly placed boxes", "The teacher sees this object, in another box."),
    "overlooked": ("Overlooked objects", "The teacher sees an object that has no label."),
    "unsupported": ("Labels that nothing supports", "The teacher sees no object of any class here: "
                    "hard, or not there."),
    "region": ("Contradicted regions", "The teacher calls these pixels something else."),
}  # fmt: skip


def told(suspect: Suspect, result: Audit) -> str:
    """A suspect in a line."""
    given, suggested = result.name(suspect.given), result.name(suspect.suggested)
    several = suspect.judges > 1
    by = f" by {suspect.seen_by} of {suspect.judges} checkpoints" if several else ""
    texts: dict[Kind, str] = {
        "swapped": f"labeled {given}, seen as {suggested}",
        "badly placed": f"{given}, seen in another place or size",
        "overlooked": f"{suggested} without a label",
        "unsupported": f"labeled {given}, nothing seen",
        "region": f"{suspect.number} pixels labeled {given}, seen as {suggested}",
    }
    return texts[suspect.kind] + by


def sure(result: Audit) -> list[Suspect]:
    """The suspects that are counted."""
    return [one for one in result.suspects if one.score >= SURE]


def by_kind(suspects: Sequence[Suspect]) -> dict[Kind, list[Suspect]]:
    """Suspects of each kind, in the order of `KINDS`."""
    found = {kind: [one for one in suspects if one.kind == kind] for kind in KINDS}
    return {kind: ones for kind, ones in found.items() if ones}


def story(result: Audit) -> str:
    """What an audit has found, in a sentence."""
    found = [
        (len(result.choices), "image", "to label next"),
        (len(sure(result)), "region" if result.pixels else "label", "to look at again"),
        (len(result.leaks), "leak", "into the validation data"),
        (len(result.twins) - len(result.leaks), "pair", "of images that look alike"),
        (len({one.look.path for one in result.odd}), "image", "unlike the others"),
    ]
    parts = [f"{_count(number, what)} {more}" for number, what, more in found if number]
    images = [f"{number:,} {role}" for role, number in result.images.items() if number]
    return f"Looked at {_and(images)} images: {_and(parts)}."


def next_steps(result: Audit, out: str) -> list[str]:
    """What to do now, the most urgent first."""
    steps = []
    if result.leaks:
        steps.append(
            f"Take {_count(len(result.leaks), 'image')} out of the validation data, or out of the "
            "training: the score includes what was trained on. They are listed under Leaks."
        )
    for kind, ones in by_kind(sure(result)).items():
        steps.append(f"Look at {_count(len(ones), 'finding')}: {KINDS[kind][0].lower()}. "
                     "Correct what is wrong, and leave what is right.")  # fmt: skip
    odd = Counter(one.kind for one in result.odd)
    if odd["foreign"]:
        steps.append(f"Look at {_count(odd['foreign'], 'image')} of another kind, and take out "
                     "what does not belong to your task.")  # fmt: skip
    if odd["pattern"]:
        steps.append(f"Look at {_count(odd['pattern'], 'image')} with a repeated pattern: a faint "
                     "grid may have been put there.")  # fmt: skip
    same = len(result.twins) - len(result.leaks)
    if same:
        steps.append(f"Remove one of each of {_count(same, 'pair')} of images that look alike, or "
                     "keep neighbors of a video in one part.")  # fmt: skip
    if result.choices:
        steps.append(f"Label the images of {out}/label-next.txt, from the top; Label Studio takes "
                     f"{out}/label-next.json. Then train again, and audit again.")  # fmt: skip
    return steps or ["Nothing asks for your attention."]


def summary(result: Audit) -> list[tuple[str, list[str]]]:
    """Each kind of finding, and a line for each of them."""
    kinds = by_kind(sure(result)).items()
    blocks = [
        ("label next", [f"{c.look.path}: {'; '.join(c.reasons)}" for c in result.choices]),
        *((KINDS[kind][0].lower(), [f"{one.score:.2f} {one.where.path}: {told(one, result)}"
                                    for one in ones]) for kind, ones in kinds),
        ("leaks", [_both(twins) for twins in result.leaks]),
        ("look alike", [_both(twins) for twins in result.twins if not twins.leak]),
        ("unlike the others", [f"{odd.look.path}: {odd_told(odd)}" for odd in result.odd]),
        ("labeled and unlabeled", [shifted(result)] if "data" in result.parts else []),
    ]  # fmt: skip
    return [(title, lines) for title, lines in blocks if lines]


def _both(twins: Twins) -> str:
    return f"{twins.first.path} and {twins.second.path}: {twins_told(twins)}"


def shifted(result: Audit) -> str:
    """Whether labeled and unlabeled images are of one kind."""
    found = result.shift
    if found is None:
        return "Too few images to compare labeled and unlabeled ones (5 of each are needed)."
    numbers = f"Frechet distance {found.distance:.3g}, by chance {found.by_chance:.3g}"
    if found.share > 0.05:
        return f"Labeled and unlabeled images are of one kind, as far as features tell ({numbers})."
    what = f" The unlabeled ones have {_and(result.differs)}." if result.differs else ""
    return (
        f"The unlabeled images are of another kind than the labeled ones ({numbers}; "
        f"{found.share:.0%} of random parts are as far apart).{what} The teacher knows the labeled "
        "ones only: label some of the others first, or leave out what is foreign."
    )


def twins_told(twins: Twins) -> str:
    """Where the two images are."""
    roles = {twins.first.role, twins.second.role}
    if twins.first.path == twins.second.path:
        return f"one file, in the {_and(sorted(roles))} images"
    where = f"both {twins.first.role}" if len(roles) == 1 else _and(sorted(roles))
    return where


def odd_told(odd: Odd) -> str:
    """What is odd about an image."""
    if odd.kind == "pattern":
        return f"a repeated pattern, {odd.deviations:.1f} deviations above the others"
    return f"of another kind: {odd.deviations:.1f} deviations farther away than the others"


def class_rows(result: Audit) -> list[dict[str, Any]]:
    """For each class: how many labels, and how many of them look wrong in which way."""
    if result.confusion is not None:
        return [_confused(result, label) for label in range(len(result.confusion))]
    counts: dict[int, Counter[str]] = {}
    for one in sure(result):
        label = one.suggested if one.kind == "overlooked" else one.given
        counts.setdefault(int(label or 0), Counter())[one.kind] += 1
    rows = []
    for label, objects in enumerate(result.objects.tolist()):
        missed = int(result.missed[label]) if len(result.missed) > label else 0
        own = counts.get(label, Counter())
        found = f"{1 - missed / objects:.0%}" if objects and len(result.missed) else "–"
        rows.append({"name": result.name(label), "objects": objects, "found": found,
                     "counts": [own[kind] for kind in list(KINDS)[:4]]})  # fmt: skip
    return rows


def _confused(result: Audit, label: int) -> dict[str, Any]:
    row = result.confusion[label] if result.confusion is not None else np.zeros(1)
    others = row.copy()
    others[label] = 0
    most = int(others.argmax())
    share = row[label] / row.sum() if row.sum() else 0.0
    told = f"{result.name(most)} ({others[most] / row.sum():.0%})" if others.any() else "–"
    regions = sum(one.given == label for one in sure(result))
    return {"name": result.name(label), "objects": int(result.objects[label]),
            "found": f"{share:.0%}" if row.sum() else "–", "counts": [told, regions]}  # fmt: skip


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _and(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return parts[0] if parts else "nothing"
    return ", ".join(parts[:-1]) + " and " + parts[-1]
