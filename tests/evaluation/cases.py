"""Predictions and truth that scores are compared on, with what scores are often wrong about.

Ties, crowds, images without objects, small objects, more than a hundred detections, classes that
nobody sees, void regions, empty volumes, voxels that are no cubes. They are drawn anew from fixed
seeds; the checksum holds that the recorded references are those of the same cases.
"""

import hashlib
from typing import NamedTuple

import numpy as np

VOLUME_CLASSES = ("background", "right ventricle", "myocardium", "left ventricle")


class Volume(NamedTuple):
    name: str
    spacing: tuple[float, float, float]  # mm: slices, rows, columns
    prediction: np.ndarray  # (slices, rows, columns), uint8
    truth: np.ndarray


def ball(shape, center, radii):
    grid = np.indices(shape).reshape(3, -1).T
    distance = ((grid - np.asarray(center)) / np.asarray(radii)) ** 2
    return distance.sum(1).reshape(shape) <= 1


def volumes():
    """Three hearts: a good one; one with a missed chamber; one with an invented chamber."""
    found = []
    sizes = [(6, 22, 26), (5, 20, 20), (7, 18, 24)]
    spacings = [(10.0, 1.5, 1.5), (5.0, 1.25, 0.8), (8.0, 1.0, 2.0)]
    for number, (shape, spacing) in enumerate(zip(sizes, spacings, strict=True)):
        rng = np.random.RandomState(number)
        middle = np.array(shape) / 2 - 0.5
        maps = []
        for shift in (np.zeros(3), rng.uniform(-1.5, 1.5, 3) * (0.3, 1, 1)):
            labels = np.zeros(shape, np.uint8)
            labels[ball(shape, middle + shift + (0, 0, -7), (2.5, 4, 3))] = 1
            labels[ball(shape, middle + shift + (0, 0, 3), (3, 7, 6))] = 2
            labels[ball(shape, middle + shift + (0, 0, 3), (2.2, 4, 3.5))] = 3
            maps.append(labels)
        truth, prediction = maps
        prediction[rng.rand(*shape) < 0.004] = 1  # specks far away decide about HD95
        if number == 1:
            prediction[prediction == 3] = 2
        if number == 2:
            truth[truth == 1] = 0
            for labels in maps:
                labels[labels == 3] = 2  # the left ventricle is neither there nor found
        found.append(Volume(f"patient{number + 1:03}_frame01", spacing, prediction, truth))
    return found


class Street(NamedTuple):
    stem: str
    prediction: np.ndarray  # labels of the 19 classes (height, width)
    truth: np.ndarray  # the same, 255 where nothing is judged


def streets():
    """Label maps of streets. Train (16) is predicted and never there, wall (3) is neither."""
    found = []
    drawn = [1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 17, 18]
    for number in range(4):
        rng = np.random.RandomState(100 + number)
        truth = np.full((48, 64), 10)
        truth[20:] = 0
        for _ in range(12):
            y, x, h, w = rng.randint(0, 48), rng.randint(0, 64), *rng.randint(3, 16, 2)
            truth[y : y + h, x : x + w] = rng.choice(drawn)
        prediction = np.roll(truth, tuple(rng.randint(-2, 3, 2)), (0, 1))
        noise = rng.rand(48, 64) < 0.1
        prediction[noise] = rng.choice([0, 10, 13, 16], noise.sum())
        truth[44:] = 255  # the hood of the car
        truth[:3, :3] = 255
        found.append(Street(f"aachen_{number:06}_000019", prediction.astype(np.uint8), truth))
    return found


class Scene(NamedTuple):
    name: str
    size: tuple[int, int]
    objects: list[dict]  # box (x, y, w, h), label, crowd, mask
    detections: list[dict]  # box, label, score, mask


def scenes(count=8, size=(160, 200), classes=3):
    """Images with rectangles and ellipses; 2 has no object, 3 no detection, 5 very many."""
    found = []
    for number in range(count):
        rng = np.random.RandomState(200 + number)
        objects = [_object(rng, size, classes) for _ in range(0 if number == 2 else 6)]
        if number % 3 == 1:
            objects.append(_object(rng, size, classes, sides=(50, 70)) | {"crowd": True})
        detections = [_detection(rng, each, size) for each in objects if rng.rand() < 0.85]
        detections += [_detection(rng, _object(rng, size, classes), size) for _ in range(3)]
        detections += [dict(detections[0])]  # found twice, with one score
        if number == 5:
            detections = _crowded(rng, objects, size)
        found.append(Scene(f"{number:012}", size, objects, [] if number == 3 else detections))
    return found


def _crowded(rng, objects, size):
    """130 false alarms of one class, and behind them its objects: no metric should see these."""
    for each in objects[:4]:
        each["label"] = 0
    alarms = [_object(rng, size, 1, sides=(6, 12)) for _ in range(130)]
    last = [_detection(rng, each, size) | {"score": 0.05} for each in objects]
    return [_detection(rng, each, size) | {"label": 0} for each in alarms] + last


def _object(rng, size, classes, sides=None):
    low, high = sides or [(4, 12), (20, 60), (20, 60), (97, 130)][rng.randint(4)]
    w, h = rng.randint(low, high, 2)
    x, y = rng.randint(0, size[1] - w), rng.randint(0, size[0] - h)
    box = tuple(int(value) for value in (x, y, w, h))
    mask = _drawn(box, size, rng.rand() < 0.5)
    return dict(box=box, label=int(rng.randint(classes)), crowd=False, mask=mask)


def _detection(rng, each, size):
    """The object moved a little; scores are tenths, so that many are equal."""
    x, y, w, h = each["box"]
    dx, dy, dw, dh = rng.randint(-3, 4, 4)
    x, y = max(0, x + dx), max(0, y + dy)
    w, h = min(max(2, w + dw), size[1] - x), min(max(2, h + dh), size[0] - y)
    box = tuple(int(value) for value in (x, y, w, h))
    label = each["label"] if rng.rand() < 0.9 else 0
    score = round(float(rng.randint(1, 11)) / 10, 1)
    return dict(box=box, label=label, score=score, mask=_drawn(box, size, rng.rand() < 0.5))


def _drawn(box, size, round_=False):
    x, y, w, h = box
    mask = np.zeros(size, bool)
    mask[y : y + h, x : x + w] = True
    if round_:
        rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
        mask &= ((rows - y - h / 2) / (h / 2)) ** 2 + ((columns - x - w / 2) / (w / 2)) ** 2 <= 1
    return mask


class Traffic(NamedTuple):
    stem: str
    instances: np.ndarray  # instanceIds of Cityscapes (height, width), int32
    detections: list[dict]  # label (of 8), score, mask


THINGS = (24, 25, 26, 27, 28, 31, 32, 33)  # person ... bicycle


def traffic():
    """Instances of Cityscapes: groups, small ones, an image with none, detections in the void."""
    found = []
    for number in range(4):
        rng = np.random.RandomState(300 + number)
        ids = np.full((96, 128), 23, np.int32)
        ids[40:] = 7
        counts = dict.fromkeys(THINGS, 0)
        for _ in range(0 if number == 2 else 9):
            raw = int(rng.choice([24, 24, 25, 26, 26, 28, 33]))
            y, x, h, w = rng.randint(0, 80), rng.randint(0, 110), *rng.randint(4, 30, 2)
            ids[y : y + h, x : x + w] = 1000 * raw + counts[raw]
            counts[raw] += 1
        ids[60:80, 90:125] = 26  # a group of cars
        ids[90:] = 1  # the ego vehicle
        detections = []
        for value in np.unique(ids[ids >= 24]).tolist():
            raw = value // 1000 if value >= 1000 else value
            mask = np.roll(ids == value, tuple(rng.randint(-2, 3, 2)), (0, 1))
            score = round(float(rng.randint(1, 11)) / 10, 1)
            label = THINGS.index(raw) if rng.rand() < 0.9 else 2
            detections.append(dict(label=label, score=score, mask=mask))
        for _ in range(3):
            box = (int(rng.randint(0, 90)), int(rng.randint(0, 60)), 20, 14)
            mask = _drawn(box, (96, 128))
            detections.append(dict(label=int(rng.randint(8)), score=0.5, mask=mask))
        found.append(Traffic(f"bochum_{number:06}_000019", ids, detections))
    return found


def checksum(cases):
    """Of all numbers in a list of cases: whether references belong to them."""
    digest = hashlib.sha256()
    for case in cases:
        for value in case:
            arrays = [value] if isinstance(value, np.ndarray) else []
            if isinstance(value, list):
                arrays = [each["mask"] for each in value]
                value = [{k: v for k, v in each.items() if k != "mask"} for each in value]
            for array in arrays:
                digest.update(np.ascontiguousarray(array.astype(np.int32)).tobytes())
            if not isinstance(value, np.ndarray):
                digest.update(repr(value).encode())
    return digest.hexdigest()[:16]
