"""An audit from the config to the findings: every image is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...datasets.splits import match
from ...doctor.parallel import Progress, silent
from ...doctor.pictures import picture_of
from ...doctor.sources import Role
from ...exits import UsageError
from ...formats.files import read_lines
from .boxes import Boxes, Suspect, suspects, typical_scores
from .choose import choose
from .criteria import doubt, found_again, robustness
from .findings import PARTS, Audit, Look, Part
from .images import Image, Source, classes_in, sources_of
from .judge import Found, Judge, is_segmentor
from .looks import compare, foreign
from .pixels import contradicted, regions

RELIABLE = 0.2  # score from which a prediction counts as an object


@dataclass(frozen=True)
class Asked:
    """What an audit is asked for.

    Attributes:
        parts: "next", "labels", "data".
        count: Images to choose for labeling.
        role: "teacher" or "student".
        unlabeled: A folder or list in place of the config's unlabeled images.
        limit: The most unlabeled images that are looked at, taken evenly.
        trained_on: For each checkpoint the list of labeled images that it has learned from. A
            label is then judged by those checkpoints that have not seen it.
        device: Where networks compute.
        score: From which a prediction counts as an object.
    """

    parts: tuple[Part, ...] = PARTS
    count: int = 50
    role: str = "teacher"
    unlabeled: str | None = None
    limit: int | None = None
    trained_on: tuple[str, ...] = ()
    device: str = "cpu"
    score: float = RELIABLE


def audit(
    config: Any,
    name: str,
    checkpoints: Sequence[str],
    asked: Asked = Asked(),
    progress: Progress = silent,
) -> Audit:
    """Audit the data of a config with the networks of some checkpoints.

    Without a checkpoint the starting weights of the config look at the images: they choose what to
    label and find what is alike or foreign, and say nothing of labels.
    """
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
        return _Examination(config, name, checkpoints, asked, progress).run()


class _Examination:
    def __init__(
        self, config: Any, name: str, checkpoints: Sequence[str], asked: Asked, progress: Progress
    ) -> None:
        _check(checkpoints, asked)
        self.asked, self.progress = asked, progress
        pixels = is_segmentor(config)
        self.sources = sources_of(
            config, _wanted(asked.parts), pixels=pixels, unlabeled=asked.unlabeled,
            limit=asked.limit,
        )  # fmt: skip
        _check_sources(self.sources, name, asked.parts)
        metas: list[dict[str, Any]] = [source.dataset.metainfo for source in self.sources]
        meta = next((one for one in metas if one.get("classes")), {})
        classes = tuple(meta.get("classes") or ())
        more: dict[str, Any] = dict(role=asked.role, device=asked.device, classes=classes)
        paths: Sequence[str | None] = checkpoints or [None]
        self.judges = [Judge(config, path, **more) for path in paths]
        self.trained = bool(checkpoints)
        self.flips = _flips(config)
        self.audit = Audit(
            name, [judge.name for judge in self.judges], classes, pixels, asked.parts,
            palette=meta.get("palette"),
        )  # fmt: skip
        self.unseen = self._unseen()
        # Of each labeled image the labels, and what each network finds.
        self.seen: list[tuple[Look, Boxes, dict[Judge, Boxes]]] = []

    def run(self) -> Audit:
        """Look at all images, then compare them."""
        result, parts = self.audit, self.asked.parts
        looks = [look for source in self.sources for look in self._look_at(source)]
        for role in ("labeled", "unlabeled", "validation"):
            result.images[role] = sum(look.role == role for look in looks)
        if "data" in parts:
            compare(looks, result)
        elif "next" in parts:
            result.odd = foreign(looks)  # which are not chosen
        if "next" in parts:
            choose(looks, result, self.asked.count, trained=self.trained)
        self._compare_boxes()
        result.suspects.sort(key=_weight(result), reverse=True)
        self._note()
        return result

    # ------------------------------------------------------------------ what is looked at

    def _look_at(self, source: Source) -> Iterator[Look]:
        for place, image in enumerate(source):
            yield self._look(source, place, image)
            self.progress(f"{source.role} images", place + 1, len(source))

    def _look(self, source: Source, place: int, image: Image) -> Look:
        suffix = Path(image.path).suffix.lower()
        picture = picture_of(cv2.cvtColor(image.picture, cv2.COLOR_BGR2RGB), suffix)
        look = Look(source, place, image.path, None, picture)
        if source.role == "validation":
            return look
        found = self.judges[0].look(image)
        look.features = found.features
        if source.role == "labeled":
            self._count(image)
            if "labels" in self.asked.parts and self.trained:
                self._judge(look, image, found)
        elif self.trained and "next" in self.asked.parts:
            (self._criteria_of_pixels if self.audit.pixels else self._criteria)(look, image, found)
        return look

    # ------------------------------------------------------------------ labels

    def _count(self, image: Image) -> None:
        size = max(len(self.audit.classes), 1)
        labels = image.boxes.labels if image.boxes is not None else classes_in(image.pixels)
        counts = np.bincount(labels[labels < size], minlength=size)
        known = self.audit.objects
        self.audit.objects = counts if not len(known) else known + counts

    def _judge(self, look: Look, image: Image, first: Found) -> None:
        """What the networks see of an image; label maps are compared at once, boxes in the end."""
        judges = self.unseen.get(look.path, self.judges)
        every = [first if judge is self.judges[0] else judge.look(image) for judge in judges]
        if image.boxes is not None:
            found = [one.boxes or Boxes() for one in every]
            self._miss(image.boxes, found)
            self.seen.append((look, image.boxes, dict(zip(judges, found, strict=True))))
        elif image.pixels is not None:
            mean = np.mean([_of(one) for one in every], axis=0)
            self._suspect(look, regions(image.pixels, mean))
            matrix = contradicted(image.pixels, mean, len(mean))
            known = self.audit.confusion
            self.audit.confusion = matrix if known is None else known + matrix

    def _compare_boxes(self) -> None:
        """Compare labels with predictions, once it is known how sure each network is."""
        usual: dict[Judge, np.ndarray] = {}
        for judge in self.judges:
            own = [(given, found[judge]) for _, given, found in self.seen if judge in found]
            given, found = [one for one, _ in own], [other for _, other in own]
            usual[judge] = typical_scores(given, found, max(len(self.audit.classes), 1))
        for look, labels, seen in self.seen:
            typical = [usual[judge] for judge in seen]
            self._suspect(look, suspects(labels, list(seen.values()), typical))

    def _suspect(self, look: Look, found: Sequence[Suspect]) -> None:
        for suspect in found:
            suspect.where = look
        self.audit.suspects += found

    def _miss(self, given: Boxes, found: Sequence[Boxes]) -> None:
        """Count the labels that no network finds."""
        again = [
            found_again(given.bboxes, given.labels, one.bboxes, one.labels)
            for one in (each.above(self.asked.score) for each in found)
        ]
        lost = given.labels[np.max(again, axis=0) < 0.5] if again else given.labels
        counts = np.bincount(lost, minlength=max(len(self.audit.classes), 1))
        known = self.audit.missed
        self.audit.missed = counts if not len(known) else known + counts

    def _unseen(self) -> dict[str, list[Judge]]:
        """For each labeled image the networks that have not learned from it, if it says so."""
        if not self.asked.trained_on:
            return {}
        paths = [s.path(n) for s in self.sources if s.role == "labeled" for n in range(len(s))]
        seen = [set(match(read_lines(Path(one)), paths, Path(one)))
                for one in self.asked.trained_on]  # fmt: skip
        found = {path: [judge for judge, known in zip(self.judges, seen, strict=True)
                        if path not in known] for path in paths}  # fmt: skip
        none = [path for path, judges in found.items() if not judges]
        if none:
            self.audit.notes.append(
                f"{len(none)} labeled images were learned by every checkpoint, so all of them judge"
            )
        return {path: judges or self.judges for path, judges in found.items()}

    # ------------------------------------------------------------------ unlabeled images

    def _criteria(self, look: Look, image: Image, found: Found) -> None:
        """Faithfulness, robustness and confidence of the boxes that were found."""
        boxes = (found.boxes or Boxes()).above(self.asked.score)
        look.found, look.classes, look.scores = boxes, boxes.labels, boxes.scores
        if not len(boxes):
            return
        views = [one.boxes or Boxes() for one in self.judges[0].again(image, flip=self.flips)]
        again = robustness([_again(boxes, one) for one in views])
        hidden = self.judges[0].hidden(image, boxes.bboxes).boxes or Boxes()
        evidence = _again(boxes, hidden)
        self._keep(look, evidence, again, boxes.scores)

    def _criteria_of_pixels(self, look: Look, image: Image, found: Found) -> None:
        """The same of pixels, each class with the same weight; evidence is the other network's."""
        probabilities = _of(found)
        labels = probabilities.argmax(0)
        judge = self.judges[0]
        views = [_of(one).argmax(0) == labels for one in judge.again(image, flip=self.flips)]
        again = np.mean(views, axis=0)
        agreed = np.ones_like(again)
        if judge.has_student:
            other = _of(judge.look(image, second=True))
            agreed = np.take_along_axis(other, labels[None], 0)[0]
        sure = probabilities.max(0)
        look.classes = np.unique(labels)
        means = [[float(kind[labels == c].mean()) for c in look.classes]
                 for kind in (agreed, again, sure, agreed * again * sure)]  # fmt: skip
        look.scores = np.array(means[2])
        self._keep(look, *(np.array(one) for one in means[:3]))
        look.doubt = doubt(np.array(means[3]))

    def _keep(self, look: Look, evidence: Any, again: Any, sure: Any) -> None:
        names = ("faithfulness", "robustness", "confidence")
        look.criteria = {n: float(v.mean()) for n, v in zip(names, (evidence, again, sure),
                                                             strict=True)}  # fmt: skip
        look.doubt = doubt(evidence, again, sure)

    def _note(self) -> None:
        notes, judge = self.audit.notes, self.judges[0]
        if not self.trained and "labels" in self.asked.parts:
            notes.append("no checkpoint was given: labels are not judged")
        if not self.trained and not judge.pretrained:
            notes.append(
                "the backbone of the config is not pretrained: its features tell colors and "
                "textures apart at best. Set init_cfg or load_from, or give a checkpoint"
            )
        if self.trained and len(self.judges) == 1 and "labels" in self.asked.parts:
            notes.append(
                "one checkpoint judges labels that it has learned itself; what it has memorized it "
                "does not contradict. Several, each trained on a part (--trained-on), find more"
            )


def _check(checkpoints: Sequence[str], asked: Asked) -> None:
    if asked.trained_on and len(asked.trained_on) != len(checkpoints):
        raise UsageError(
            f"--trained-on: {len(asked.trained_on)} lists for {len(checkpoints)} checkpoints; give "
            "one for each, in their order"
        )
    if asked.parts == ("labels",) and not checkpoints:
        raise UsageError("--only labels: a checkpoint must judge them; name one behind the config")
    if not 0 <= asked.score <= 1:
        raise UsageError(f"--score {asked.score}: it must be in [0, 1]")
    for name in ("count", "limit"):
        value = getattr(asked, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name} {value}: it must be at least 1")


def _wanted(parts: Sequence[Part]) -> set[Role]:
    """The data sets that the parts need."""
    roles: set[Role] = {"labeled"}
    if {"next", "data"} & {*parts}:
        roles.add("unlabeled")
    if "data" in parts:
        roles.add("validation")
    return roles


def _check_sources(sources: Sequence[Source], name: str, parts: Sequence[Part]) -> None:
    """An error names what is missing."""
    roles = {source.role for source in sources if len(source)}
    if "next" in parts and "unlabeled" not in roles:
        raise UsageError(
            f"config {name}: it has no unlabeled images to choose from. Name some with "
            "--unlabeled, or leave this part out: --only labels data"
        )
    if "labels" in parts and len(parts) == 1 and "labeled" not in roles:
        raise UsageError(f"config {name}: it has no labeled images to look at")


def _weight(result: Audit) -> Callable[[Any], float]:
    """The surest boxes first; of regions those with the most contradicted pixels."""
    return (lambda s: s.score * (s.number or 1)) if result.pixels else (lambda s: s.score)


def _again(boxes: Boxes, others: Boxes) -> np.ndarray:
    return found_again(boxes.bboxes, boxes.labels, others.bboxes, others.labels)


def _of(found: Found) -> np.ndarray:
    if found.probabilities is None:
        raise TypeError("a segmentor gave no probabilities")
    return found.probabilities


def _flips(node: Any) -> bool:
    """Whether the training mirrors images: then a mirrored object is one, too."""
    if isinstance(node, dict):
        if "Flip" in str(node.get("type", "")):
            return True
        return any(_flips(value) for key, value in node.items() if key != "model")
    return isinstance(node, (list, tuple)) and any(_flips(one) for one in node)
