"""The pictures of an audit: labels and what the networks see, drawn as data of a page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...hooks._parts.drawing import BoxGroup, Color, class_colors, draw_boxes, fit, jpeg
from ...report.html import data_uri
from .boxes import Boxes, Suspect
from .findings import Audit, Look

# Pixels of a picture; what is shown around a suspect, in its sides; boxes that are drawn.
SIZE, CONTEXT, MOST = 300, 1.2, 6
GIVEN: Color = (255, 159, 28)
SEEN: Color = (64, 224, 255)


def plain(look: Look) -> str:
    """The image as it is."""
    return _encoded(fit(_pixels(look), SIZE)[0])


def with_found(look: Look, result: Audit) -> str:
    """The image with the boxes that the network found."""
    boxes = look.found
    if boxes is None or not len(boxes):
        return plain(look)
    surest = np.argsort(-boxes.scores)[:MOST]  # more would hide the image
    boxes = Boxes(boxes.bboxes[surest], boxes.labels[surest], boxes.scores[surest])
    colors = class_colors(max(len(result.classes), int(boxes.labels.max()) + 1))
    texts = [f"{result.name(int(label))} {score:.2f}"
             for label, score in zip(boxes.labels, boxes.scores, strict=True)]  # fmt: skip
    group = BoxGroup("unsure", boxes.bboxes, texts, [colors[label] for label in boxes.labels])
    return _encoded(draw_boxes(_pixels(look), [group], SIZE))


def of_suspect(suspect: Suspect, result: Audit) -> str:
    """The part of the image around a suspect: the label solid, what the network sees dashed."""
    image = _pixels(suspect.where)
    boxes = [box for box in (suspect.box, suspect.better) if box is not None]
    left, top, right, bottom = _around(boxes, image.shape)
    shift = np.array([left, top, left, top])
    part = image[top:bottom, left:right]
    groups = []
    if suspect.kind == "overlooked":
        groups.append(_group("dropped", suspect.box, result.name(suspect.suggested), shift, SEEN))
    else:
        given = result.name(suspect.given)
        groups.append(_group("kept", suspect.box, given, shift, GIVEN))
    if suspect.mask is not None:
        groups[0].masks = _mask(suspect, image.shape)[None, top:bottom, left:right]
    if suspect.better is not None:
        seen = result.name(suspect.suggested)
        groups.append(_group("dropped", suspect.better, seen, shift, SEEN))
    return _encoded(draw_boxes(part, groups, SIZE))


def _group(
    style: str, box: Sequence[float], text: str, shift: np.ndarray, color: Color
) -> BoxGroup:
    place = (np.array(box) - shift)[None]
    return BoxGroup(style, place, [text], [color])  # type: ignore[arg-type]


def _mask(suspect: Suspect, shape: Sequence[int]) -> np.ndarray:
    """The region of a suspect in its image."""
    x1, y1, x2, y2 = (int(edge) for edge in suspect.box)
    mask = np.zeros(tuple(shape[:2]), bool)
    mask[y1:y2, x1:x2] = suspect.mask
    return mask


def _around(boxes: Sequence[Sequence[float]], shape: Sequence[int]) -> tuple[int, int, int, int]:
    """A square part of an image that shows the boxes and what is around them."""
    every = np.array(boxes)
    low, high = every[:, :2].min(0), every[:, 2:].max(0)
    side = max(float((high - low).max()) * (1 + CONTEXT), 48.0)
    middle = (low + high) / 2
    height, width = shape[:2]
    left, top = (max(int(edge), 0) for edge in middle - side / 2)
    right, bottom = (int(np.ceil(edge)) for edge in middle + side / 2)
    return left, top, min(right, width), min(bottom, height)


def _pixels(look: Look) -> np.ndarray:
    """The image, red first."""
    picture = look.source.read(look.place).picture
    return np.ascontiguousarray(picture[..., ::-1])


def _encoded(picture: np.ndarray) -> str:
    return data_uri(jpeg(picture), "image/jpeg")
