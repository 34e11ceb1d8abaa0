"""A round of a federated training, and such a training on Flower."""

import importlib.util
import json
import os
from pathlib import Path

import pytest
import torch

from ssdet.engine.configs import load_config
from ssdet.engine.federated import checkpoint_of, train_round
from ssdet.exits import RunError

PATH = Path(__file__).parents[2] / "tools" / "federated.py"
spec = importlib.util.spec_from_file_location("federated", PATH)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
SERVER = "federated/deeplabv3plus_demo_server.py"
PLACE = "federated/deeplabv3plus_demo_client.py"
SMALL = dict(count=12, labeled=4, val_count=2, batch=(2,))


def place(**options):
    config = load_config(PLACE, {**SMALL, **options})
    config.custom_hooks[1].score = 0.0
    return config


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The server has learned from its labels."""
    folder = tmp_path_factory.mktemp("server")
    return train_round(load_config(SERVER, SMALL), folder, 2, evaluate=True)


def changed(before, after):
    return {name for name, value in before.items() if not value.equal(after[name])}


def test_the_server_learns_from_labels_and_is_evaluated(first):
    assert first.losses["loss"] > 0 and not any(k.startswith("unsup") for k in first.losses)
    assert 0 <= first.scores["student/mIoU"] <= 100
    assert all(value.is_floating_point() for value in first.student.values())


def test_in_the_first_phase_the_backbone_alone_learns(first, tmp_path):
    done = train_round(place(), tmp_path, 2, start=first.student)
    moved = changed(first.student, done.student)
    assert moved and all(name.startswith("backbone.") for name in moved)
    assert done.scores == {} and done.losses["unsup_decode.loss_ce"] > 0
    assert not list(tmp_path.glob("*.pth"))


def test_in_the_second_phase_everything_learns(first, tmp_path):
    done = train_round(place(phase="full"), tmp_path, 2, start=first.student)
    moved = changed(first.student, done.student)
    assert any(name.startswith("decode_head.") for name in moved)
    assert any("orthogonal" in name for name in done.losses)


def test_the_average_of_a_place_goes_on_from_where_it_was(first, tmp_path):
    """One step: .99 times the average that the place kept, .01 times its student."""
    kept = {name: value + 1 for name, value in first.student.items()}
    done = train_round(place(), tmp_path, 1, start=first.student, teacher=kept)
    name = "backbone.layer1.0.conv1.weight"
    expected = 0.99 * kept[name] + 0.01 * done.student[name]
    torch.testing.assert_close(done.teacher[name], expected, rtol=1e-4, atol=1e-5)


def test_the_same_round_is_the_same_and_another_one_is_not(first, tmp_path):
    one, same, other = (
        train_round(place(), tmp_path / str(at), 1, start=first.student, number=number)
        for at, number in enumerate((3, 3, 4))
    )
    assert changed(one.student, same.student) == set()
    assert changed(one.student, other.student)


def test_server_and_places_get_the_seed_that_was_asked_for(tmp_path):
    own = load_config(SERVER).randomness
    asked, plain = (
        tool.Server(dict(server=SERVER, out=tmp_path, seed=seed)).config.randomness
        for seed in (5, None)
    )
    assert asked == {**own, "seed": 5} and plain == own
    assert tool._seeded(place(), 5).randomness["seed"] == 5


def test_a_checkpoint_has_the_counters_that_are_not_sent():
    weights = {"bn.running_mean": torch.ones(2), "bn.weight": torch.ones(2)}
    saved = checkpoint_of(weights, weights)["state_dict"]
    names = ("running_mean", "weight", "num_batches_tracked")
    assert set(saved) == {f"{role}.bn.{name}" for role in ("student", "teacher") for name in names}
    assert saved["teacher.bn.num_batches_tracked"] == 0
    assert set(checkpoint_of(weights)["state_dict"]) == {f"student.bn.{name}" for name in names}


def test_weights_that_are_not_finite_are_not_sent(first, tmp_path, monkeypatch):
    start = {name: value.clone() for name, value in first.student.items()}
    start["decode_head.conv_seg.bias"][0] = float("nan")
    with pytest.raises(RunError, match="not finite"):
        train_round(place(), tmp_path, 1, start=start)


@pytest.mark.long
def test_two_places_on_flower(tmp_path, monkeypatch):
    pytest.importorskip("flwr")
    pytest.importorskip("ray")
    for name, value in dict(FLWR_TELEMETRY_ENABLED=0, RAY_USAGE_STATS_ENABLED=0).items():
        monkeypatch.setitem(os.environ, name, str(value))
    small = ["count=24"]
    order = [SERVER, PLACE, "--out", str(tmp_path)]
    for options in (["seed=1"], ["seed=2", "domain=fog"]):
        order += ["--place", *small, *options]
    lengths = dict(warm_up=2, selective=1, full=1, iterations=2, server_iterations=1)
    for name, value in lengths.items():
        order += [f"--{name.replace('_', '-')}", str(value)]
    assert tool.main(order) == 0
    rows = json.loads((tmp_path / "federated.json").read_text())
    assert [(row["round"], row["phase"]) for row in rows] == [
        (0, "labels"), (1, "selective"), (2, "full")
    ]  # fmt: skip
    assert all(0 <= row["student/mIoU"] <= 100 for row in rows)
    weights = torch.load(tmp_path / "federated.pth", weights_only=True)["state_dict"]
    assert all(name.startswith("student.") for name in weights)
    assert {path.name for path in tmp_path.glob("place_*")} == {"place_0", "place_1"}
