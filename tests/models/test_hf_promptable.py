"""A SAM that has to be asked: frames, the best of three masks, weights from a folder."""

import pytest
import torch
import torch.nn.functional as F

from ssdet.exits import DataChangedError, UsageError
from ssdet.models.hf_promptable import INSIDE, NO_POINT, OUTSIDE, HFPromptedSegmentor, Prompts

from ..seg_helpers import build_seg, seg_batch, tiny_fcn

pytest.importorskip("transformers")  # which Python 3.10 does not get
SIDE = 32
WIDTH = dict(hidden_size=16)
SAM = dict(
    model_type="sam",
    vision_config=dict(
        WIDTH, output_channels=16, num_hidden_layers=1, num_attention_heads=2, image_size=SIDE,
        patch_size=8, window_size=2, global_attn_indexes=[0], num_pos_feats=8, mlp_dim=16,
    ),
    prompt_encoder_config=dict(WIDTH, image_size=SIDE, patch_size=8, mask_input_channels=4),
    mask_decoder_config=dict(
        WIDTH, mlp_dim=16, num_attention_heads=2, num_hidden_layers=1, iou_head_hidden_dim=16
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return HFPromptedSegmentor(4, config=SAM).eval()


def prompts(*points, boxes=None):
    """A prompt for each (x, y)."""
    places = torch.tensor(points, dtype=torch.float32).view(len(points), 1, 2)
    signs = torch.full((len(points), 1), INSIDE)
    return Prompts(places, signs, None if boxes is None else torch.tensor(boxes))


def test_masks_are_in_the_frame_of_the_image(sam):
    """A wide image is as SAM's processor shows it: the longer side fits, the rest is padding."""
    images = torch.randn(2, 3, 24, 64)
    asked = [prompts((10, 6), (50, 20)), prompts()]
    (masks, quality), (none, nothing) = sam.masks_of(images, asked)
    assert masks.shape == (2, 24, 64) and masks.dtype == torch.bool and quality.shape == (2,)
    assert none.shape == (0, 24, 64) and nothing.shape == (0,)
    small = F.interpolate(images[:1], (12, 32), mode="bilinear", antialias=True)
    output = sam.network(
        pixel_values=F.pad(small, (0, 0, 0, 20)),
        input_points=torch.tensor([[[[5.0, 3.0]], [[25.0, 10.0]]]]),
    )
    best = output.iou_scores[0].argmax(1)
    torch.testing.assert_close(quality, output.iou_scores[0].amax(1))
    for row in (0, 1):
        low = output.pred_masks[0, row, best[row]][None, None]
        large = F.interpolate(low, (32, 32), mode="bilinear")[..., :12, :]
        expected = F.interpolate(large, (24, 64), mode="bilinear")[0, 0] > 0
        assert torch.equal(masks[row], expected)


def test_points_beside_the_object_and_boxes_count(sam):
    images = torch.randn(1, 3, 32, 32)
    places = torch.tensor([[[8.0, 8.0], [20.0, 20.0]]])
    asked = [
        prompts((8, 8)),
        Prompts(places, torch.tensor([[INSIDE, NO_POINT]])),
        Prompts(places, torch.tensor([[INSIDE, OUTSIDE]])),
        prompts((8, 8), boxes=[[2.0, 2.0, 14.0, 14.0]]),
    ]
    alone, none, beside, boxed = (sam.masks_of(images, [each])[0][1].item() for each in asked)
    assert none == pytest.approx(alone, rel=1e-3), "a place without a point says nothing"
    assert beside != pytest.approx(alone, rel=0.05) and boxed != pytest.approx(alone, rel=0.05)


def test_it_has_no_labels_and_no_loss_of_its_own(sam):
    with pytest.raises(UsageError, match="answers prompts"):
        sam.inference(torch.zeros(1, 3, 32, 32), [{}])
    with pytest.raises(UsageError, match="is a teacher and learns nothing"):
        sam(torch.zeros(1, 3, 32, 32), [], mode="loss")
    with pytest.raises(UsageError, match="'resnet' is not 'sam'"):
        HFPromptedSegmentor(4, config=dict(model_type="resnet"))


def pair(**settings):
    torch.manual_seed(1)
    model = dict(type="HFPromptedSegmentor", num_classes=4, config=SAM, **settings)
    return build_seg(tiny_fcn(), teacher=dict(model=model, beside_twin=True))


def test_it_sees_images_in_its_own_normalization():
    """The student's are (x - 127) / 64 without turning channels; SAM's are RGB of ImageNet."""
    model = pair()
    data = model.data_preprocessor(seg_batch(sup=0), True)["inputs"]["unsup_teacher"]
    seen = []
    network = model.frozen_teacher.network
    network.masks_of = lambda images, prompts: seen.append(images) or []
    model.frozen_teacher.prompted(data, [])
    raw = data * 64 + 127
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
    )
    torch.testing.assert_close(seen[0], (raw.flip(1) - mean) / std, atol=1e-4, rtol=1e-4)


def test_weights_come_from_a_folder_and_checkpoints_name_their_file(tmp_path):
    torch.manual_seed(3)
    HFPromptedSegmentor(4, config=SAM).network.save_pretrained(tmp_path / "sam")
    model = pair(pretrained=str(tmp_path / "sam"))
    weight = "network.vision_encoder.patch_embed.projection.weight"
    before = model.frozen_teacher.network.state_dict()[weight].clone()
    model.init_weights()
    after = model.frozen_teacher.network.state_dict()[weight]
    assert not torch.equal(before, after)
    state = model.state_dict()
    kept = [key for key in state if key.startswith("frozen_teacher.network.")]
    assert kept == [] and state["frozen_teacher.sha256"].any()
    torch.manual_seed(4)
    HFPromptedSegmentor(4, config=SAM).network.save_pretrained(tmp_path / "sam")
    again = pair(pretrained=str(tmp_path / "sam"))
    again.load_state_dict(state)
    with pytest.raises(DataChangedError, match="is not the file that the run was started with"):
        again.frozen_teacher.ready()


def test_without_weights_the_message_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"HFPromptedSegmentor: pretrained=.*--local-dir FOLDER"):
        pair(pretrained=str(tmp_path / "none")).init_weights()
