"""A teacher that knows the truth and is as wrong as one likes: for filters, without training."""

import torch

from ssdet.teacher_student.step import Views

from ..helpers import instances, pseudo, sample

SIZE, CLASSES = 128, 3


class FakeTeacher:
    """Labels of a detector: the truth with noise, and boxes that are none.

    An object is missed with the probability `drop`, has another class with `flip`, and corners off
    by `jitter` pixels, more the less sure the teacher is of it. The score of a label is drawn from
    what labels of its kind have: about 0.85 if it is right, 0.45 if it is not. In a second look the
    objects are found again and the phantoms are elsewhere.
    """

    def __init__(self, model, *, drop=0.1, flip=0.1, jitter=1.0, phantoms=3, seed=0):
        self.drop, self.flip, self.jitter, self.phantoms = drop, flip, jitter, phantoms
        self.generator = torch.Generator().manual_seed(seed)
        self.truth = {}
        model.label = self

    def __call__(self, views, network=None, needs=None):
        return [self._label(v, s) for v, s in zip(views.inputs, views.samples, strict=True)]

    def views(self, count, first=0):
        """Images with three objects each; a mark in the first column tells a mirrored view."""
        inputs = torch.zeros(count, 3, SIZE, SIZE)
        inputs[..., 0] = 1
        samples = []
        for number in range(first, first + count):
            corners = torch.rand(3, 2, generator=self.generator) * 80
            boxes = torch.cat([corners, corners + 24 + 16 * self._random(3, 2)], dim=1)
            labels = torch.randint(CLASSES, (3,), generator=self.generator)
            self.truth[number] = boxes, labels
            one = sample((SIZE, SIZE), gt=instances(boxes.tolist(), labels.tolist()))
            one.set_metainfo(dict(img_id=number))
            samples.append(one)
        return Views(inputs, samples)

    def _label(self, image, seen):
        boxes, labels = self.truth[seen.img_id]
        found = self._random(len(boxes)) >= self.drop
        wrong = self._random(len(boxes)) < self.flip
        labels = torch.where(wrong, (labels + 1) % CLASSES, labels)[found]
        scores = self._scores(wrong[found])
        noise = (
            self.jitter
            * (1.5 - scores[:, None])
            * torch.randn(len(labels), 4, generator=self.generator)
        )
        corners = self._random(self.phantoms, 2) * 80
        phantoms = torch.cat([corners, corners + 16 + 24 * self._random(self.phantoms, 2)], dim=1)
        boxes = torch.cat([boxes[found] + noise, phantoms])
        scores = torch.cat([scores, self._scores(torch.ones(self.phantoms, dtype=torch.bool))])
        other = torch.randint(CLASSES, (self.phantoms,), generator=self.generator)
        if image[0, 0, 0] == 0:  # mirrored
            boxes = torch.stack(
                [SIZE - boxes[:, 2], boxes[:, 1], SIZE - boxes[:, 0], boxes[:, 3]], dim=1
            )
        return pseudo(boxes.tolist(), scores.tolist(), torch.cat([labels, other]).tolist())

    def _scores(self, wrong):
        mean = torch.where(wrong, 0.45, 0.85)
        spread = 0.15 * torch.randn(len(wrong), generator=self.generator)
        return (mean + spread).clamp(0.05, 0.99)

    def _random(self, *shape):
        return torch.rand(*shape, generator=self.generator)
