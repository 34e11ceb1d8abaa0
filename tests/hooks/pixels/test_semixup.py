"""Semixup's three differences."""

import pytest
import torch

from ssdet.hooks import SemixupHook

from ...helpers import losses
from ...seg_helpers import build_seg, padded_from, seg_batch, with_other_labeled
from .test_hardness import step_of

LOSS = "unsup_loss_semixup"


def found_with(share, monkeypatch, change=lambda batch: batch, **settings):
    torch.manual_seed(0)
    hook = SemixupHook(**settings)
    monkeypatch.setattr(hook, "_share", lambda _: share)
    step = step_of(hook, batch=change(seg_batch(2, 2, views=2)))
    p, q = (
        hook.enlarged(step.outputs[view], (32, 32)) for view in ("unsup_student", "unsup_student_2")
    )
    return step.losses[LOSS], p, q


def test_the_difference_of_both_views(monkeypatch):
    loss, p, q = found_with(0.3, monkeypatch, inside=3.0, between=0, outside=0)
    torch.testing.assert_close(loss, 3 * (p - q).square().mean())


def test_without_a_mixture_only_both_views_differ(monkeypatch):
    """lambda = 1: the mixture is the first view."""
    loss, *_ = found_with(1.0, monkeypatch, inside=0, between=1, outside=0)
    assert loss.item() == pytest.approx(0.0, abs=1e-10)
    loss, p, q = found_with(1.0, monkeypatch, inside=0, between=0, outside=1)
    torch.testing.assert_close(loss, (p - q).square().mean())


def test_all_that_is_mixed_is_the_neighbor_at_zero(monkeypatch):
    loss, p, q = found_with(0.0, monkeypatch, inside=0, between=0, outside=1)
    other = p.roll(1, dims=0)
    expected = (other - p).square().mean() + (other - q).square().mean()
    torch.testing.assert_close(loss, expected)


def test_where_one_of_both_images_is_padding_no_mixture_is_compared(monkeypatch):
    def half_padded(batch):
        batch = padded_from(batch, 16)
        for name, samples in batch["data_samples"].items():
            if name != "sup":  # all of the second image is seen
                samples[3].gt_sem_seg.data[:] = 0
        return batch

    loss, p, q = found_with(0.0, monkeypatch, half_padded, inside=0, between=0, outside=1)
    other = p.roll(1, dims=0)
    pairs = [(other - one)[..., :16].square().mean() for one in (p, q)]
    torch.testing.assert_close(loss, sum(pairs))


def test_lambda_is_a_beta_variate():
    hook, generator = SemixupHook(alpha=0.75), torch.Generator().manual_seed(0)
    drawn = torch.tensor([hook._share(generator) for _ in range(2000)])
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.03)
    assert drawn.var().item() == pytest.approx(0.1, abs=0.01)  # 1 / (4 (2 alpha + 1))


def test_views_that_a_joint_pass_pads():
    model = build_seg(joint_pass=True)
    batch = with_other_labeled(seg_batch(2, 2, views=2), (64, 32))
    assert torch.isfinite(step_of(SemixupHook(), model=model, batch=batch).losses[LOSS])


def test_views_that_show_other_parts_are_refused():
    for batch, says in (
        (seg_batch(), "compares two strong views"),
        (seg_batch(views=2), "show other parts"),
    ):
        model = build_seg()
        model.attach(SemixupHook())
        for sample in batch["data_samples"].get("unsup_student_2", []):
            if sample is not None:
                matrix = torch.eye(3)
                matrix[0, 2] = 5.0
                sample.set_metainfo(dict(homography_matrix=matrix.numpy()))
        with pytest.raises(ValueError, match=f"SemixupHook: .*{says}"):
            losses(model, batch)
