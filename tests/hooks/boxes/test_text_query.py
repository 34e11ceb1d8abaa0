"""Text queries: what carries the names, what is compared, and that all else stays."""

from contextlib import contextmanager

import pytest
import torch

from ssdet.exits import UsageError
from ssdet.hooks import (
    CostMiningHook,
    CrossViewQueryHook,
    StepHook,
    TeacherFusionHook,
    TextQueryHook,
)
from ssdet.hooks._parts.denoising import decoded, with_texts
from ssdet.losses.queries import text_contrast
from ssdet.models import ClassTextProjector
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase

from ...families.detectors import initialized, small_config
from ...helpers import build_pair, losses, multi_branch, pseudo, total

NAMES = [["cat"], ["dog", "hound"], ["bird"]]
TEXTS = dict(type="ClassTextProjector", concepts=NAMES, channels=16, dim=8)
PROJECTOR = dict(type="QueryProjector", channels=16, hidden=32, groups=4)
BOXES = [(4, 4, 24, 24), (30, 30, 60, 60)]


class Says(StepHook):
    phase = Phase.LABEL

    def __init__(self, *counts):
        self.counts = counts

    def after_teacher(self, step):
        for image, count in enumerate(self.counts):
            step.pseudo[image] = pseudo(BOXES[:count], [0.9] * count, list(range(count)) or None)
        self.step = step


def pair(*hooks, **auxiliary):
    torch.manual_seed(0)
    model = initialized(build_pair(small_config("dino"), auxiliary=dict(texts=TEXTS, **auxiliary)))
    for hook in hooks:
        model.attach(hook)
    return model


def step_of(model, sup=1, unsup=2):
    torch.manual_seed(5)
    return losses(model, multi_branch(sup=sup, unsup=unsup))


@pytest.fixture(scope="module")
def plain():
    return step_of(pair(Says(2, 1)))


def same(one, other):
    return torch.allclose(torch.as_tensor(one), torch.as_tensor(other), atol=1e-5)


def test_denoising_queries_alone_carry_the_names(plain):
    found = step_of(pair(Says(2, 1), TextQueryHook()))
    changed = {name for name in plain if not same(plain[name], found[name])}
    assert changed and all("dn_loss" in name for name in changed)
    assert {n.split("_")[0] for n in changed} == {"sup", "unsup"}
    added = set(found) - set(plain)
    assert added == {"sup_loss_text_query", "unsup_loss_text_query"}
    assert all(found[name] > 0 for name in added)


def test_the_contrast_alone_changes_no_other_loss(plain):
    found = step_of(pair(Says(2, 1), TextQueryHook(add=False)))
    assert all(same(plain[name], found[name]) for name in plain)
    assert found["unsup_loss_text_query"] > 0


class Weigh(StepHook):
    phase = Phase.WEIGHT

    def after_teacher(self, step):
        step.pseudo[0].weight_cls = torch.tensor([1.0, 0.5])


class Watch(StepHook):
    """What the decoder makes of the denoising queries of strong views."""

    phase = Phase.OBSERVE

    @contextmanager
    def student_pass(self, step, branch):
        with decoded(step.model.student) as seen:
            yield
        (self.seen,) = seen


def test_the_loss_by_hand():
    """The noisy copies of all boxes count alike, whatever the image; weights multiply."""
    watch = Watch()
    model = pair(Says(2, 1), Weigh(), TextQueryHook(temperature=0.5, weight=3.0), watch)
    found, seen = step_of(model, sup=0), watch.seen
    texts, rows = model.auxiliary["texts"](), []
    assert [one.tolist() for one in seen.labels] == [[0, 1], [0]]
    assert [one.tolist() for one in seen.weights] == [[1.0, 0.5], [1.0]]
    for hidden, labels, weights in zip(seen.hidden, seen.labels, seen.weights, strict=True):
        n = len(labels)
        each = text_contrast(texts[labels], hidden[:, 0, :n], hidden[:, 1, :n], 0.5)
        rows.append((each * weights).flatten())
    expected = 3.0 * torch.cat(rows).mean().item()
    assert found["unsup_loss_text_query"].item() == pytest.approx(expected, rel=1e-5)


def test_what_learns_and_that_queries_of_views_do_not_disturb():
    """Beside cross-view queries, which are put in front of the decoder's."""
    alone = step_of(pair(Says(2, 1), TextQueryHook()))
    model = pair(Says(2, 1), CrossViewQueryHook(), TextQueryHook(), query_projector=PROJECTOR)
    other = pair(Says(2, 1), TextQueryHook(), CrossViewQueryHook(), query_projector=PROJECTOR)
    for one in (model, other):
        one.auxiliary["texts"].load_state_dict(pair().auxiliary["texts"].state_dict())
        one.student.load_state_dict(pair().student.state_dict())
        one.copy_student()
    first, second = step_of(model), step_of(other)
    assert same(first["unsup_loss_text_query"], alone["unsup_loss_text_query"])
    assert same(first["unsup_loss_text_query"], second["unsup_loss_text_query"])
    first["unsup_loss_text_query"].backward()
    learned = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert "auxiliary.texts.layer.weight" in learned
    assert any(n.startswith("student.decoder") for n in learned)
    assert not any(n.startswith("teacher") or "conv_offset" in n for n in learned)


@pytest.mark.parametrize("counts", [(0, 0), (0, 1)])
def test_images_without_boxes(counts):
    found = step_of(pair(Says(*counts), TextQueryHook()))
    assert torch.isfinite(total(found)) and found["sup_loss_text_query"].requires_grad


def test_a_frozen_detector_beside_the_average_labels_too():
    """The page's super teacher, with the other parts."""
    torch.manual_seed(0)
    teacher = dict(model=small_config("dino"), beside_twin=True)
    auxiliary = dict(texts=TEXTS, query_projector=PROJECTOR)
    model = initialized(build_pair(small_config("dino"), auxiliary=auxiliary, teacher=teacher))
    hooks = (TeacherFusionHook(), CostMiningHook(score=0.0), CrossViewQueryHook(), TextQueryHook())
    for hook in hooks:
        model.attach(hook)
    found = step_of(model)
    assert found["fusion/trust"] == 1 and found["pseudo/kept"] > 0
    assert torch.isfinite(total(found)) and found["unsup_loss_text_query"] > 0


@pytest.mark.parametrize("family", ["rt_detr_v2", "d_fine"])
def test_detectors_of_transformers(family):
    pytest.importorskip("transformers")
    from ...families.hugging_face import hf_config

    def run(*hooks):
        torch.manual_seed(0)
        cfg = hf_config(family)
        width = MODELS.build(cfg).network.config.d_model
        torch.manual_seed(0)
        model = build_pair(cfg, auxiliary=dict(texts={**TEXTS, "channels": width}))
        for hook in (Says(2, 1), *hooks):
            model.attach(hook)
        return step_of(model)

    before, after = run(), run(TextQueryHook())
    changed = {name for name in before if not same(before[name], after[name])}
    assert changed and all("dn_" in name for name in changed)
    assert after["unsup_loss_text_query"] > 0 and after["sup_loss_text_query"] > 0


def test_the_vector_of_the_class_is_added():
    model = pair()
    embedding = model.student.dn_query_generator.label_embedding
    labels, texts = torch.tensor([2, 0]), torch.randn(3, 16)
    before = embedding(labels)
    with with_texts(model.student, texts):
        assert torch.allclose(embedding(labels), before + texts[[2, 0]])
    assert torch.equal(embedding(labels), before)


def test_models_without_names_or_denoising_are_refused():
    with pytest.raises(TypeError, match="and a DeformableDETR has none"):
        build_pair(small_config("deformable_detr")).attach(TextQueryHook())
    with pytest.raises(ValueError, match="of 16 channels and 3 classes; give it one"):
        build_pair(small_config("dino")).attach(TextQueryHook())
    with pytest.raises(ValueError, match="class 1 has no name"):
        ClassTextProjector([["a"], [], ["b"]])


def test_names_are_read_from_a_folder(tmp_path):
    """And where there is nothing to read, the message says who wanted to read what."""
    pytest.importorskip("transformers")
    from ...models.test_clip import saved_clip

    folder = saved_clip(tmp_path)
    texts = ClassTextProjector(NAMES, channels=4, dim=12, pretrained=folder)
    drawn = texts.texts.features.clone()
    texts.init_weights()
    assert not torch.allclose(texts.texts.features, drawn) and texts().shape == (3, 4)
    missing = ClassTextProjector(NAMES, channels=4, dim=12, pretrained=str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"ClassTextProjector: .*none"):
        missing.init_weights()
