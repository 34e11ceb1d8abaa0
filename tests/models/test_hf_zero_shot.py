"""Grounding DINO as a frozen teacher: a small random one, with a vocabulary of four words."""

import copy
import hashlib
import shutil

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from ssdet.engine.export import plain_checkpoint
from ssdet.exits import CheckpointError, DataChangedError, UsageError
from ssdet.hooks import StepHook, TeacherEMAHook
from ssdet.models.hf_zero_shot import prompts_of
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase

from ..families.hugging_face import PREPROCESSOR
from ..helpers import build_pair, losses, multi_branch, sample, tiny_retinanet, total

transformers = pytest.importorskip("transformers")  # which Python 3.10 does not get
from safetensors.torch import load_file, save_file  # noqa: E402

CLASSES = ["cat", "red car", "boat"]
SWIN = dict(
    model_type="swin", embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
    drop_path_rate=0.0, image_size=64, out_indices=[2, 3, 4],
)  # fmt: skip
BERT = dict(
    model_type="bert", vocab_size=1034, hidden_size=16, num_hidden_layers=1,
    num_attention_heads=2, intermediate_size=16, max_position_embeddings=32,
)  # fmt: skip
CONFIG = dict(
    model_type="grounding-dino", backbone_config=SWIN, text_config=BERT, d_model=64,
    encoder_layers=1, decoder_layers=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=10,
    encoder_attention_heads=4, decoder_attention_heads=4, max_text_len=16, fusion_droppath=0.0,
    dropout=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What `from_pretrained` reads: random weights, and the tokens where BERT has them."""
    path = tmp_path_factory.mktemp("grounding")
    words = [f"[unused{number}]" for number in range(1030)] + ["cat", "red", "car", "boat"]
    for number, token in {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]",
                          1012: ".", 1029: "?"}.items():  # fmt: skip
        words[number] = token
    transformers.BertTokenizer(vocab={w: n for n, w in enumerate(words)}).save_pretrained(path)
    torch.manual_seed(7)
    network = MODELS.build(detector(CLASSES, tokenizer=str(path), config=CONFIG)).network
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    network.save_pretrained(path)
    return str(path)


def detector(classes=CLASSES, **settings):
    return dict(
        type="HFZeroShotDetector", _scope_="mmdet", classes=classes, score_thr=0.0,
        data_preprocessor=PREPROCESSOR, **settings,
    )  # fmt: skip


def built(folder, classes=CLASSES, **settings):
    model = MODELS.build(detector(classes, pretrained=folder, **settings))
    model.init_weights()
    return model.eval()


def test_names_become_texts_with_known_places(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    (whole,) = prompts_of(tokenizer, CLASSES, 16)
    # [CLS] cat . red car . boat . [SEP], as the library's own processor writes it
    assert whole.ids.tolist() == [101, 1030, 1012, 1031, 1032, 1012, 1033, 1012, 102]
    assert whole.ids.tolist() == tokenizer("cat. red car. boat.")["input_ids"]
    assert whole.spans == ((1, 2), (3, 5), (6, 7))
    parts = prompts_of(tokenizer, ["Cat", "red_car", "boat"], 6)
    assert [one.ids.tolist() for one in parts] == [
        [101, 1030, 1012, 102], [101, 1031, 1032, 1012, 102], [101, 1033, 1012, 102]
    ]  # fmt: skip
    with pytest.raises(UsageError, match=r"classes: ' \.' makes 0 tokens; a name has 1 to 13"):
        prompts_of(tokenizer, [" ."], 16)


def test_scores_and_boxes_are_those_of_the_library(folder):
    model = built(folder, nms=None, max_per_img=5)
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = model.predict(image, [sample()], rescale=False)[0].pred_instances
        text = transformers.AutoTokenizer.from_pretrained(folder)("cat. red car. boat.")
        output = model.network(image, torch.tensor([text["input_ids"]]))
    tokens = output.logits[0].sigmoid()
    scores = torch.stack([tokens[:, 1], (tokens[:, 3] + tokens[:, 4]) / 2, tokens[:, 6]], 1)
    best = int(scores.argmax())
    assert len(found) == 5 and int(found.labels[0]) == best % 3
    torch.testing.assert_close(found.scores[0], scores.max())
    x, y, w, h = (64 * output.pred_boxes[0, best // 3]).tolist()
    wanted = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    wanted = [min(max(value, 0.0), 64.0) for value in wanted]
    assert found.bboxes[0].tolist() == pytest.approx(wanted, abs=1e-3)


def test_padding_moves_no_box(folder):
    model, alone = built(folder), torch.randn(1, 3, 64, 64)
    padded = F.pad(alone, (0, 64, 0, 64))
    with torch.no_grad():
        places = [model._forward(one, [sample((64, 64))])[2].mean(1) for one in (alone, padded)]
    torch.testing.assert_close(*places, rtol=0.0, atol=8.0)  # shares of the batch: 32 pixels off


def test_more_names_than_a_text_holds_are_asked_one_after_the_other(folder):
    model, few = built(folder), built(folder)
    few._prompts = prompts_of(transformers.AutoTokenizer.from_pretrained(folder), CLASSES, 8)
    assert len(few.prompts) == 2
    image = torch.randn(1, 3, 32, 32)  # so small that it is padded
    with torch.no_grad():
        for one in (model, few):
            scores, labels, boxes, queries = one._forward(image, [sample((32, 32))])
            assert scores.shape[1] == len(labels) == len(queries) == 30
            assert labels.bincount().tolist() == [10, 10, 10]
            assert int(queries.max()) + 1 == boxes.shape[1] == 10 * len(one.prompts)


class KeepBest(StepHook):
    phase = Phase.LABEL

    def after_teacher(self, step):
        self.step = step
        for number, found in enumerate(step.pseudo):
            step.drop(number, found.scores.argsort(descending=True).argsort() >= 3, "rank")


def test_it_labels_for_a_detector_whose_classes_are_other_ones(folder):
    """Names go by a map; a class that the student does not have is dropped; nothing is averaged."""
    teacher = dict(
        model=detector(pretrained=folder), student_classes=["car", "dog", "cat"],
        class_map={"red car": "car"},
    )  # fmt: skip
    model = build_pair(tiny_retinanet(), teacher=teacher)
    model.init_weights()
    assert model.teacher.ready().places.tolist() == [2, 0, -1]
    keep = KeepBest()
    model.attach(keep)
    found = losses(model, multi_branch())
    assert found["pseudo/kept"] == 3 and total(found).isfinite()
    assert set(keep.step.pseudo[0].labels.tolist()) <= {0, 2}
    with pytest.raises(UsageError, match="the teacher is another model"):
        model.attach(TeacherEMAHook(momentum=0.9))
    state = copy.deepcopy(model.state_dict())
    assert not any(p.requires_grad for p in model.teacher.parameters())
    again = build_pair(tiny_retinanet(), teacher=teacher)
    again.init_weights()  # its weights are not in the state, and are read as a run reads them
    again.load_state_dict(state)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in state.items())


def saved_run(folder, path, **settings):
    teacher = dict(model=detector(pretrained=folder), **settings)
    model = build_pair(tiny_retinanet(), teacher=teacher)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return teacher, model, torch.load(path)


def test_checkpoints_hold_the_sha256_of_its_file_and_no_weights(folder, tmp_path):
    copied = tmp_path / "published"
    shutil.copytree(folder, copied)
    weights = copied / "model.safetensors"
    teacher, model, saved = saved_run(str(copied), tmp_path / "run.pth")
    state = saved["state_dict"]
    assert {k for k in state if k.startswith("teacher.")} == {"teacher.places", "teacher.sha256"}
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert bytes(state["teacher.sha256"].tolist()).hex() == digest

    again = build_pair(tiny_retinanet(), teacher=teacher)
    again.load_state_dict(state)  # a test of the student alone does not read the file
    config = Config(dict(default_scope="mmdet", model=teacher["model"]))
    exported = plain_checkpoint(saved, config, "teacher", teacher)
    expected = model.teacher.network.state_dict()
    for found in (again.teacher.ready().network.state_dict(), exported["state_dict"]):
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert exported["meta"]["dataset_meta"]["classes"] == tuple(CLASSES)

    changed = load_file(weights)
    first = next(iter(changed))
    save_file({**changed, first: changed[first] + 1}, weights, metadata={"format": "pt"})
    late = build_pair(tiny_retinanet(), teacher=teacher)
    late.load_state_dict(copy.deepcopy(state))
    with pytest.raises(DataChangedError, match="published is not the file that the run was"):
        late.teacher.ready()
    with pytest.raises(CheckpointError, match="published is now: restore the file"):
        plain_checkpoint(saved, config, "teacher", teacher)


def test_weights_can_be_kept_and_a_run_that_kept_them_goes_on_so(folder, tmp_path):
    teacher, model, saved = saved_run(folder, tmp_path / "run.pth", keep_weights=True)
    state = saved["state_dict"]
    state["teacher.sha256"].zero_()  # as a run had it that knew no file
    resumed = build_pair(tiny_retinanet(), teacher=dict(teacher, keep_weights=False))
    resumed.init_weights()
    resumed.load_state_dict(state)
    expected = model.teacher.network.state_dict()
    found = resumed.state_dict()
    assert all(torch.equal(found[f"teacher.network.{k}"], v) for k, v in expected.items())


def test_settings_are_checked(folder):
    model = built(folder)
    with pytest.raises(UsageError, match="it is a teacher"):
        model.loss(torch.zeros(1, 3, 64, 64), [sample()])
    with pytest.raises(UsageError, match="'detr' is not one of"):
        MODELS.build(detector(config=dict(model_type="detr")))
    with pytest.raises(UsageError, match="give tokenizer=<folder"):
        MODELS.build(detector(config=CONFIG))
    with pytest.raises(UsageError, match="Without a network: download it elsewhere"):
        MODELS.build(detector(pretrained="./no/such/folder"))
