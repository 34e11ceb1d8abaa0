"""The files of an audit: everything as JSON, and the list of images to label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...engine.checkpoint_file import write_text
from .boxes import Suspect
from .findings import Audit, Choice
from .page import render
from .words import shifted, told, twins_told

PAGE, DATA, LIST, TASKS = "audit.html", "audit.json", "label-next.txt", "label-next.json"


def write_audit(result: Audit, out: str | Path, command: str = "") -> Path:
    """Write the page, the JSON and the lists; returns the page."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(json.dumps(as_json(result), indent=1, ensure_ascii=False) + "\n", folder / DATA)
    if result.choices:
        lines = "".join(f"{choice.look.path}\n" for choice in result.choices)
        write_text(lines, folder / LIST)
        tasks = [_task(choice, rank) for rank, choice in enumerate(result.choices, 1)]
        write_text(json.dumps(tasks, indent=1, ensure_ascii=False) + "\n", folder / TASKS)
    write_text(render(result, str(out), command), folder / PAGE)
    return folder / PAGE


def as_json(result: Audit) -> dict[str, Any]:
    """Everything that was found, for programs."""
    found = result.shift
    return {
        "config": result.config,
        "networks": result.networks,
        "classes": list(result.classes),
        "images": result.images,
        "notes": result.notes,
        "label_next": [_choice(one, rank) for rank, one in enumerate(result.choices, 1)],
        "labels": [_suspect(one, result) for one in result.suspects],
        "labeled_objects": result.objects.tolist(),
        "missed_objects": result.missed.tolist(),
        "confusion": None if result.confusion is None else result.confusion.tolist(),
        "look_alike": [
            {"first": t.first.path, "second": t.second.path, "where": twins_told(t),
             "leak": t.leak} for t in result.twins
        ],
        "unlike_the_others": [
            {"image": odd.look.path, "kind": odd.kind, "deviations": round(odd.deviations, 3)}
            for odd in result.odd
        ],
        "shift": found and {"frechet_distance": found.distance, "by_chance": found.by_chance,
                            "share_of_random_parts": found.share, "differs": result.differs,
                            "told": shifted(result)},
    }  # fmt: skip


def _choice(choice: Choice, rank: int) -> dict[str, Any]:
    look = choice.look
    return {
        "rank": rank,
        "image": look.path,
        "reasons": choice.reasons,
        "doubt": round(look.doubt, 4),
        "criteria": {name: round(value, 4) for name, value in look.criteria.items()},
        "rarity": round(choice.rarity, 4),
        "distance": None if choice.distance is None else round(choice.distance, 4),
    }


def _suspect(suspect: Suspect, result: Audit) -> dict[str, Any]:
    named = {
        key: None if label is None else result.name(label)
        for key, label in (("given", suspect.given), ("suggested", suspect.suggested))
    }
    size = {"pixels": suspect.number} if suspect.kind == "region" else {"object": suspect.number}
    return {
        "image": suspect.where.path,
        "kind": suspect.kind,
        "score": round(suspect.score, 4),
        **named,
        "box": list(suspect.box),
        "suggested_box": list(suspect.better) if suspect.better else None,
        **size,
        "seen_by": suspect.seen_by,
        "told": told(suspect, result),
    }


def _task(choice: Choice, rank: int) -> dict[str, Any]:
    """A task of Label Studio."""
    return {
        "data": {"image": choice.look.path},
        "meta": {"rank": rank, "reasons": choice.reasons},
    }
