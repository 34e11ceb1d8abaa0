"""Record what the original packages say of the predictions in tests/evaluation/cases.py.

    python -m venv refs && refs/bin/pip install medpy==0.5.2 monai==1.6.1 cityscapesscripts==2.3.0
    refs/bin/python tools/record_metrics.py

It writes tests/evaluation/references.json. None of the packages is needed for anything else.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "evaluation"))

import cases  # noqa: E402

OUT = ROOT / "tests" / "evaluation" / "references.json"


def main() -> None:
    packages = ("medpy", "monai", "cityscapesscripts")
    found = {
        "made_by": "tools/record_metrics.py",
        "versions": {name: version(name) for name in packages},
        "volumes": {"cases": cases.checksum(cases.volumes()), **volumes()},
        "streets": {"cases": cases.checksum(cases.streets()), **streets()},
        "traffic": {"cases": cases.checksum(cases.traffic()), **traffic()},
    }
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{OUT}: written")


def volumes() -> dict[str, Any]:
    """Scores of each volume and class; None where an object is missing on one side."""
    found: dict[str, Any] = {"medpy": {}, "monai": {}}
    for volume in cases.volumes():
        masks = [(volume.prediction == k, volume.truth == k) for k in (1, 2, 3)]
        found["medpy"][volume.name] = [by_medpy(*pair, volume.spacing) for pair in masks]
        found["monai"][volume.name] = [by_monai(*pair, volume.spacing) for pair in masks]
    return found


def by_medpy(prediction: Any, truth: Any, spacing: Any) -> dict[str, float] | None:
    from medpy.metric import binary

    if not (prediction.any() and truth.any()):
        return None
    return {
        "dice": float(binary.dc(prediction, truth)),
        "jaccard": float(binary.jc(prediction, truth)),
        "hd95": float(binary.hd95(prediction, truth, voxelspacing=spacing)),
        "hd95_voxels": float(binary.hd95(prediction, truth)),
        "asd": float(binary.asd(prediction, truth, voxelspacing=spacing)),
    }


def by_monai(prediction: Any, truth: Any, spacing: Any) -> dict[str, float] | None:
    import torch
    from monai import metrics

    if not (prediction.any() and truth.any()):
        return None
    ours, theirs = (torch.from_numpy(mask)[None, None].float() for mask in (prediction, truth))
    options: dict[str, Any] = {"include_background": True, "spacing": list(spacing)}
    hd95 = metrics.compute_hausdorff_distance(ours, theirs, percentile=95, **options)
    asd = metrics.compute_average_surface_distance(ours, theirs, **options)
    dice = metrics.compute_dice(ours, theirs)
    return {"dice": float(dice), "hd95": float(hd95), "asd": float(asd)}


def streets() -> dict[str, Any]:
    """IoU of each class that is judged, and their mean."""
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as script
    from cityscapesscripts.helpers.labels import trainId2label

    with tempfile.TemporaryDirectory() as folder:
        pairs = []
        for street in cases.streets():
            paths = []
            for kind in ("prediction", "truth"):
                labels = getattr(street, kind)
                raw = np.zeros(labels.shape, np.uint8)
                for label in np.unique(labels):
                    raw[labels == label] = 0 if label == 255 else trainId2label[int(label)].id
                path = f"{folder}/{street.stem}_{kind}.png"
                Image.fromarray(raw).save(path)
                paths.append(path)
            pairs.append(paths)
        script.args.JSONOutput = script.args.evalInstLevelScore = False
        script.args.quiet = True
        found = script.evaluateImgLists(*zip(*pairs, strict=True), script.args)
    scores = {name: value for name, value in found["classScores"].items() if not np.isnan(value)}
    return {"classes": scores, "mean": found["averageScoreClasses"]}


def traffic() -> dict[str, Any]:
    """AP of each class, AP and AP50."""
    from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as script

    if not hasattr(np, "in1d"):
        np.in1d = np.isin  # type: ignore[attr-defined]  # the scripts are older than NumPy 2.4
    with tempfile.TemporaryDirectory() as folder:
        truths, predictions = [], []
        for case in cases.traffic():
            truth = f"{folder}/{case.stem}_gtFine_instanceIds.png"
            Image.fromarray(case.instances.astype(np.uint16)).save(truth)
            lines = []
            for number, each in enumerate(case.detections):
                name = f"{case.stem}_{number}.png"
                Image.fromarray(each["mask"].astype(np.uint8)).save(f"{folder}/{name}")
                lines.append(f"{name} {cases.THINGS[each['label']]} {each['score']}\n")
            Path(f"{folder}/{case.stem}_pred.txt").write_text("".join(lines))
            truths.append(truth)
            predictions.append(f"{folder}/{case.stem}_pred.txt")
        script.args.JSONOutput, script.args.quiet = False, True
        script.args.predictionPath = folder
        script.args.gtInstancesFile = f"{folder}/gtInstances.json"
        os.chdir(folder)  # the script leaves a file where it runs
        found = script.evaluateImgLists(predictions, truths, script.args)["averages"]
        os.chdir(ROOT)
    classes = {k: v["ap"] for k, v in found["classes"].items() if not np.isnan(v["ap"])}
    return {"AP": found["allAp"], "AP50": found["allAp50%"], "classes": classes}


if __name__ == "__main__":
    main()
