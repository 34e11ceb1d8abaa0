"""CLIP for pixels: the value path, names as directions, the head of SemiVL, a frozen labeler."""

import copy
import hashlib

import pytest
import torch
import torch.nn.functional as F
from mmengine.runner.checkpoint import load_state_dict

from ssdet.exits import DataChangedError, UsageError
from ssdet.models import CLIPBackbone, DenseTextLabeler, LanguageGuidedHead
from ssdet.models.clip import ClassTexts

from ..helpers import losses
from ..seg_helpers import CROSS_ENTROPY, build_seg, seg_batch, tiny_fcn

pytest.importorskip("transformers")  # which Python 3.10 does not get

CLIP = dict(
    model_type="clip_vision_model", hidden_size=16, intermediate_size=16, num_hidden_layers=3,
    num_attention_heads=2, patch_size=8, image_size=32, projection_dim=12,
)  # fmt: skip
NAMES = [["background", "wall"], ["cat"], ["dog"], ["cow"]]


def encoder(**settings):
    torch.manual_seed(0)
    return CLIPBackbone(config=CLIP, **{"skips": (0, 1), **settings})


def test_maps_of_the_patches_and_their_directions():
    one = encoder()
    early, late, directions = one(torch.randn(2, 3, 32, 32))
    assert early.shape == late.shape == (2, 16, 4, 4) and directions.shape == (2, 12, 4, 4)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(2, 4, 4))
    assert one.out_channels == (16, 16, 12)
    other = one(torch.randn(1, 3, 40, 61))  # another size, no multiple of the patch
    assert [tuple(level.shape[2:]) for level in other] == [(5, 8)] * 3


def test_in_the_last_block_every_patch_speaks_for_itself():
    """With one block, what a patch becomes depends on its own pixels alone."""
    one = CLIPBackbone(config={**CLIP, "num_hidden_layers": 1}, skips=()).eval()
    image = torch.randn(1, 3, 32, 32)
    changed = image.clone()
    changed[..., 24:, 24:] += 1
    (before,), (behind,) = one(image), one(changed)
    same = torch.ones(4, 4, dtype=torch.bool)
    same[3, 3] = False
    torch.testing.assert_close(before[..., same], behind[..., same])
    assert not torch.allclose(before[..., 3, 3], behind[..., 3, 3])


def test_only_attention_and_positions_learn_and_all_that_learns_is_used():
    one = encoder()
    learned = {name for name, p in one.network.named_parameters() if p.requires_grad}
    assert all("self_attn" in name or "position_embedding" in name for name in learned)
    sum(level.square().sum() for level in one(torch.randn(1, 3, 32, 32))).backward()
    assert all(dict(one.network.named_parameters())[name].grad is not None for name in learned)
    frozen = CLIPBackbone(config=CLIP, skips=(), learning=())
    assert not any(p.requires_grad for p in frozen.parameters())


def test_blocks_that_are_not_there_are_refused():
    for skips in ((0, 3), (-1, 2)):
        with pytest.raises(ValueError, match=r"skips=(3|-1) is not in"):
            encoder(skips=skips)


def test_a_class_is_as_similar_as_its_best_name():
    """Concepts {0: (.1, .3), 1: .2} -> (.3, .2)."""
    texts = ClassTexts("Test", [["a", "b"], ["c"]], 4)
    scores = torch.tensor([0.1, 0.3, 0.2]).view(1, 3, 1, 1)
    assert texts.best(scores).flatten().tolist() == pytest.approx([0.3, 0.2])
    single = ClassTexts("Test", [["a"], ["c"]], 4)
    assert single.best(scores[:, :2]).flatten().tolist() == pytest.approx([0.1, 0.3])
    mean = ClassTexts("Test", [["a", "b"], ["c"]], 4, average=True)
    assert len(mean.features) == 2 and mean.classes == 2


def test_similarities_are_cosines():
    texts = ClassTexts("Test", [["a"], ["c"]], 2)
    texts.features.copy_(torch.tensor([[1.0, 0.0], [0.6, 0.8]]))
    directions = torch.tensor([0.8, 0.6]).view(1, 2, 1, 1)
    assert texts.similarities(directions).flatten().tolist() == pytest.approx([0.8, 0.96])


@pytest.mark.parametrize(
    ("names", "message"),
    [([["a"], []], "class 1 has no name"), ([["a"], ["b", "a"]], r"twice there: \['a'\]"),
     (["cat", "dog"], "twice there|not a list")],
)  # fmt: skip
def test_names_that_cannot_be_told_apart_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        ClassTexts("Test", names, 4)


def saved_clip(folder, seed=3):
    """A folder as `from_pretrained` reads it: random weights, and a tokenizer of letters."""
    import json

    from transformers import CLIPConfig, CLIPModel

    letters = [chr(code) for code in range(97, 123)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *[f"{one}</w>" for one in letters]]
    vision = {key: value for key, value in CLIP.items() if key != "model_type"}
    text = dict(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64, projection_dim=12, bos_token_id=0,
        eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(seed)
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
    CLIPModel(config).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    return str(folder)


def test_weights_and_texts_are_read_from_a_folder(tmp_path):
    folder = saved_clip(tmp_path)
    labeler = DenseTextLabeler(NAMES, pretrained=folder)
    weight = labeler.encoder.network.visual_projection.weight
    before, drawn = copy.deepcopy(labeler.state_dict()), weight.clone()
    labeler.init_weights()
    after = labeler.state_dict()
    assert not torch.equal(before["texts.features"], after["texts.features"])
    assert not torch.equal(drawn, weight)
    norms = after["texts.features"].norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(5))
    again = DenseTextLabeler(NAMES, pretrained=folder)
    again.init_weights()
    assert torch.equal(again.texts.features, after["texts.features"])
    mean = ClassTexts("Test", NAMES, 12, pretrained=folder, average=True)
    mean.read()
    assert torch.equal(mean.features[1], after["texts.features"][2])


def test_checkpoints_hold_the_texts_and_of_the_weights_the_sha256(tmp_path):
    folder = saved_clip(tmp_path)
    build = lambda **keep: build_seg(  # noqa: E731
        auxiliary=dict(
            clip=dict(type="DenseTextLabeler", concepts=NAMES, pretrained=folder, **keep)
        )
    )
    model = build()
    model.init_weights()
    state = copy.deepcopy(model.state_dict())
    own = {key.removeprefix("auxiliary.clip.") for key in state if "clip" in key}
    assert own == {"sha256", "texts.features", "texts.owners"}
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert bytes(state["auxiliary.clip.sha256"].tolist()).hex() == digest

    again, image = build(), torch.rand(1, 3, 32, 32) * 255
    assert not load_state_dict(again, copy.deepcopy(state), strict=True)
    found = again.auxiliary["clip"](image)  # reads the file, which nothing has read so far
    torch.testing.assert_close(found, model.auxiliary["clip"](image))

    saved_clip(tmp_path, seed=4)
    other = build()
    other.init_weights()
    with pytest.raises(DataChangedError, match=r"DenseTextLabeler: .* is not the file"):
        load_state_dict(other, copy.deepcopy(state))
    kept = build(keep_weights=True)
    kept.init_weights()
    assert any(key.startswith("auxiliary.clip.encoder.") for key in kept.state_dict())


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(
        UsageError, match=r"(?s)CLIPBackbone: pretrained='.*nothing'.*Without a network"
    ):
        CLIPBackbone(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="CLIPBackbone: skips=3"):
        CLIPBackbone(config=CLIP, skips=(3,))
    texts = ClassTexts("Test", NAMES, 6, pretrained=saved_clip(tmp_path))
    with pytest.raises(ValueError, match="have 12 dimensions, those of the images 6"):
        texts.read()


def test_probabilities_of_a_labeler():
    """Cosines .25 .22 .20 -> .9465 .0471 .0064 at a scale of 100."""
    labeler = DenseTextLabeler([["a"], ["b"], ["c"]], config={**CLIP, "projection_dim": 3})
    labeler.texts.features.copy_(torch.eye(3))
    directions = torch.tensor([0.25, 0.22, 0.20]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    labeler.encoder.forward = lambda images: (directions,)
    found = labeler(torch.zeros(2, 3, 32, 32))
    assert found.shape == (2, 3, 32, 32)
    expected = torch.tensor([0.9465, 0.0471, 0.0064])
    torch.testing.assert_close(found[0, :, 5, 7], expected, atol=1e-4, rtol=0)
    with torch.autocast("cpu", torch.float16):
        found = labeler(torch.zeros(2, 3, 32, 32))
    torch.testing.assert_close(found[0, :, 5, 7], expected, atol=1e-4, rtol=0)


def test_a_labeler_does_not_stretch_images_that_are_no_whole_patches():
    """Two patches of 8 pixels for a width of 12: the second one begins at 8, not at 6."""
    labeler = DenseTextLabeler([["a"], ["b"]], config={**CLIP, "projection_dim": 2})
    labeler.texts.features.copy_(torch.eye(2))
    directions = torch.eye(2).view(1, 2, 1, 2)
    labeler.encoder.forward = lambda images: (directions,)
    labels = labeler(torch.zeros(1, 3, 8, 12)).argmax(1)
    assert labels[0, 3].tolist() == 8 * [0] + 4 * [1]


def head(**settings):
    torch.manual_seed(0)
    given = dict(
        in_channels=(16, 16, 12), concepts=NAMES, num_classes=4, channels=8, heads=2,
        up_channels=(8, 4), skip_channels=(4, 2), align_corners=False, loss_decode=CROSS_ENTROPY,
    )  # fmt: skip
    return LanguageGuidedHead(**{**given, **settings})


def maps(images=2):
    directions = F.normalize(torch.randn(images, 12, 6, 5), dim=1)
    return torch.randn(images, 16, 6, 5), torch.randn(images, 16, 6, 5), directions


def test_the_head_gives_a_map_for_each_class_four_times_as_large():
    one = head()
    found = one(maps())
    assert found.shape == (2, 4, 24, 20)
    found.square().mean().backward()
    assert all(p.grad is not None for p in one.parameters())


def test_no_class_is_special_but_for_its_text():
    """The same texts in another order: the same maps in that order."""
    one = head(concepts=[["a"], ["b"], ["c"], ["d"]]).eval()
    given = maps()
    found = one(given)
    order = torch.tensor([2, 0, 3, 1])
    one.texts.features.copy_(one.texts.features[order])
    torch.testing.assert_close(one(given), found[:, order], atol=1e-5, rtol=1e-4)


def test_names_and_classes_must_be_as_many():
    with pytest.raises(ValueError, match="concepts has 4 classes and num_classes=3"):
        head(num_classes=3)


@pytest.mark.parametrize("joint", [False, True])
def test_a_pair_of_teacher_and_student_learns(joint):
    cfg = tiny_fcn()
    cfg["backbone"] = dict(type="CLIPBackbone", config=CLIP, skips=(0, 1))
    cfg["decode_head"] = dict(
        type="LanguageGuidedHead", in_channels=(16, 16, 12), concepts=NAMES, num_classes=4,
        channels=8, heads=2, up_channels=(8, 4), skip_channels=(4, 2), align_corners=False,
        loss_decode=CROSS_ENTROPY,
    )  # fmt: skip
    model = build_seg(cfg, joint_pass=joint)
    found = losses(model, seg_batch())
    sum(value for name, value in found.items() if "loss" in name).backward()
    assert all(p.grad is not None for p in model.student.parameters() if p.requires_grad)
