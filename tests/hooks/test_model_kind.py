"""Hooks that a kind of model refuses."""

import pytest

from ssdet.hooks import (
    AdversarialSmoothnessHook,
    ConsistencyHook,
    CorrelationPropagationHook,
    PreviousTeachersHook,
)

from ..seg_helpers import build_seg


@pytest.mark.parametrize(
    "hook",
    [
        AdversarialSmoothnessHook(),
        ConsistencyHook(),
        CorrelationPropagationHook(),
        PreviousTeachersHook(1, weight="constant"),
    ],
    ids=lambda hook: type(hook).__name__,
)
def test_masks_of_queries_are_no_logits_of_pixels(hook):
    model = build_seg()
    model.student.decode_head.match_masks = True  # as Mask2Former's head
    with pytest.raises(TypeError, match=f"{type(hook).__name__}: .*FCNHead gives masks of queries"):
        model.attach(hook)
