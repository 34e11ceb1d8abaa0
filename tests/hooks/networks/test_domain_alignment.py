"""Domain alignment: which views are compared when, and which way either side learns."""

import pytest
import torch

from ssdet.hooks import DomainAlignmentHook
from ssdet.losses import domain_loss

from ...helpers import build_pair, losses, multi_branch
from ...seg_helpers import build_seg

CLASSIFIER = dict(type="DomainClassifier", in_channels=(16, 16, 16))


def pair(**settings):
    torch.manual_seed(0)
    model = build_pair(auxiliary=dict(domains=CLASSIFIER), **settings)
    model.attach(DomainAlignmentHook(weight=0.5))
    return model


def maps_of(model, inputs):
    return model.student.extract_feat(inputs)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize(("burn_in", "view"), [(0, "unsup_student"), (1, "unsup_teacher")])
def test_the_loss_by_hand(burn_in, view, joint):
    """Labeled images against the weak views in the burn-in, the strong ones after it."""
    model = pair(burn_in=burn_in, joint_pass=joint)
    torch.manual_seed(5)
    batch = multi_branch(sup=2, unsup=2)
    data = model.data_preprocessor(batch, True)["inputs"]
    found = losses(model, batch)
    with torch.no_grad():
        labeled, others = (
            model.auxiliary["domains"](maps_of(model, data[name])) for name in ("sup", view)
        )
    expected = 0.5 * domain_loss(labeled, others).item()
    assert found["unsup_loss_domain"].item() == pytest.approx(expected, rel=1e-4)
    right = torch.cat([labeled < 0, others > 0]).float().mean()
    assert found["domains/told_apart"].item() == pytest.approx(right.item(), abs=0.01)


def test_the_student_hides_what_the_classifier_looks_for():
    model = pair()
    torch.manual_seed(5)
    batch = multi_branch(sup=2, unsup=2)
    data = model.data_preprocessor(batch, True)["inputs"]
    losses(model, batch)["unsup_loss_domain"].backward()
    weight = model.student.neck.lateral_convs[0].conv.weight
    turned = weight.grad.clone()
    of_classifier = model.auxiliary["domains"].levels[0][0].weight.grad.clone()
    model.zero_grad()
    logits = [
        model.auxiliary["domains"](maps_of(model, data[name])) for name in ("sup", "unsup_student")
    ]
    (0.5 * domain_loss(*logits)).backward()
    assert turned.any() and torch.allclose(weight.grad, -turned, rtol=1e-3, atol=1e-7)
    straight = model.auxiliary["domains"].levels[0][0].weight.grad
    assert torch.allclose(straight, of_classifier, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("kinds", [dict(sup=2, unsup=0), dict(sup=0, unsup=2)])
def test_one_kind_of_images_alone_has_nothing_to_compare(kinds):
    found = losses(pair(), multi_branch(**kinds))
    assert found["unsup_loss_domain"].item() == 0 and found["unsup_loss_domain"].requires_grad


def test_in_the_burn_in_alone():
    torch.manual_seed(0)
    model = build_pair(auxiliary=dict(domains=CLASSIFIER), burn_in=1)
    model.attach(DomainAlignmentHook(after_burn_in=False))
    found = [losses(model, multi_branch(sup=2, unsup=2)) for _ in range(2)]
    first, second = (one["unsup_loss_domain"].item() for one in found)
    assert first > 0 == second


def test_without_pseudo_labels_the_domains_are_compared():
    model = pair()
    model.label = lambda views, *_, **__: [one[:0] for one in type(model).label(model, views)]
    assert losses(model, multi_branch(sup=2, unsup=2))["unsup_loss_domain"] > 0


def test_models_without_it_are_refused():
    with pytest.raises(ValueError, match=r"no DomainClassifier called 'domains'; it has \[\]"):
        build_pair().attach(DomainAlignmentHook())
    with pytest.raises(TypeError, match="works with a TeacherStudentDetector"):
        build_seg().attach(DomainAlignmentHook())
