"""A checkpoint file is whole or absent, and reading one runs nothing."""

import errno
import io
import os
import pickle
import signal
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import PretrainedInit
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from ssdet.engine import CheckpointError, checkpoint_file, read_checkpoint, write_checkpoint
from ssdet.models.dinov2 import DINOv2

OLD = {"a": torch.zeros(1000), "n": 1, "t": (1, "x"), "dtype": torch.float16}
NEW = {"a": torch.ones(200_000), "n": 2}


class Bomb:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_what_is_written_is_read(tmp_path):
    digest, size = write_checkpoint(OLD, tmp_path / "a.pth")
    assert torch.equal(read_checkpoint(tmp_path / "a.pth")["a"], OLD["a"])
    assert digest == checkpoint_file.sha256(tmp_path / "a.pth")
    assert size == (tmp_path / "a.pth").stat().st_size
    assert os.listdir(tmp_path) == ["a.pth"]


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99, 1.0])
def test_kill_9_while_saving_leaves_the_old_one(tmp_path, share):
    path = tmp_path / "a.pth"
    write_checkpoint(OLD, path)
    stop_at = int(800_000 * share)
    child = os.fork()
    if child == 0:
        write, replace = checkpoint_file._HashingFile.write, os.replace

        def dying_write(file, data):
            if file.size + len(data) > stop_at and share < 1:
                file.file.write(bytes(data)[: stop_at - file.size])
                file.file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return write(file, data)

        def dying_replace(source, target):
            os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)

        checkpoint_file._HashingFile.write = dying_write
        checkpoint_file.os.replace = dying_replace
        write_checkpoint(NEW, path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (tmp_path / "a.pth.tmp").stat().st_size > 0
    assert read_checkpoint(path)["n"] == 1


def test_full_disk_leaves_the_old_one_and_tells_the_numbers(tmp_path, monkeypatch):
    path = tmp_path / "a.pth"
    write_checkpoint(OLD, path)

    class Full(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > 100_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    monkeypatch.setattr(type(path), "open", lambda self, mode: Full(str(self), "w"))
    with pytest.raises(
        CheckpointError, match=r"No space left.*needed about 800000 bytes, free \d+"
    ):
        write_checkpoint(NEW, path)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["a.pth"] and read_checkpoint(path)["n"] == 1


def test_file_size_limit_of_the_system_leaves_the_old_one(tmp_path):
    import resource

    path = tmp_path / "a.pth"
    write_checkpoint(OLD, path)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            write_checkpoint(NEW, path)
        except CheckpointError as error:
            os._exit(0 if "File too large" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert os.listdir(tmp_path) == ["a.pth"] and read_checkpoint(path)["n"] == 1


@pytest.mark.parametrize("place", ["top", "state_dict", "meta", "optimizer", "message_hub"])
@pytest.mark.parametrize("container", ["zip", "pickle"])
def test_a_pickle_bomb_is_not_run(tmp_path, place, container):
    marker, path = tmp_path / "boom", tmp_path / "bomb.pth"
    bomb = Bomb(marker)
    content = bomb if place == "top" else {"state_dict": {}, "meta": {}, place: {"x": bomb}}
    if container == "zip":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    for load in (
        read_checkpoint,
        CheckpointLoader.load_checkpoint,
        lambda file: load_checkpoint(torch.nn.Linear(1, 1), str(file)),
    ):
        with pytest.raises(CheckpointError, match="was not read"):
            load(str(path))
    assert not marker.exists()


def test_getattr_reaches_nothing_but_statistics_of_a_history(tmp_path):
    class Reach:
        def __reduce__(self):
            return getattr, (HistoryBuffer, "update")

    torch.save({"x": Reach()}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="getattr"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_checkpoint_of_mmengine_is_read(tmp_path):
    hub = {"log_scalars": {"train/loss": HistoryBuffer([1.0, 2.0], [1, 1])}}
    meta = {"iter": 3, "mAP": np.float64(0.25), "palette": np.array([1, 2]), "seed": np.int32(7)}
    weights = {"weight": torch.ones(1, 1), "bias": torch.zeros(1)}
    torch.save({"meta": meta, "message_hub": hub, "state_dict": weights}, tmp_path / "old.pth")
    found = read_checkpoint(tmp_path / "old.pth")
    assert found["meta"]["mAP"] == 0.25 and found["meta"]["seed"] == 7
    assert found["message_hub"]["log_scalars"]["train/loss"].mean() == 1.5
    model = torch.nn.Linear(1, 1)
    load_checkpoint(model, str(tmp_path / "old.pth"), strict=True)
    assert float(model.weight) == 1


def test_numpy_1_wrote_its_scalars_under_another_name(tmp_path):
    path = tmp_path / "old.pth"
    torch.save({"x": np.float64(0.25)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {item: archive.read(item) for item in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for item, data in parts.items():
            if item.endswith("data.pkl"):
                data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            archive.writestr(item, data)
    assert read_checkpoint(path)["x"] == 0.25


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_damaged_file_is_called_damaged(tmp_path, damage):
    path = tmp_path / "a.pth"
    write_checkpoint(NEW, path)
    data = path.read_bytes()
    path.write_bytes({"cut": data[:5000], "empty": b"", "text": b"hello"}[damage])
    with pytest.raises(CheckpointError, match=f"{path.name}"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.pth: no such file"):
        read_checkpoint(tmp_path / "nowhere.pth")


def test_no_flipped_bit_is_loaded(tmp_path):
    """The checksums travel in the file: it has no index beside it."""
    path = tmp_path / "copied.pth"
    content = {"a": torch.arange(300.0), "n": 7, "name": "x" * 50}
    write_checkpoint(content, path)
    data, refused = path.read_bytes(), 0
    for place in range(0, len(data), 23):
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        try:
            found = read_checkpoint(path)
        except CheckpointError as error:
            assert f"{path} ({len(data)} bytes) is damaged" in str(error)
            refused += 1
            continue
        # Padding between the parts, and headers that nobody reads.
        assert torch.equal(found["a"], content["a"]) and found["n"] == 7
        assert found["name"] == content["name"]
    assert refused > 40
    path.write_bytes(data)
    assert read_checkpoint(path)["n"] == 7


@pytest.mark.parametrize("load", ["load_from", "pretrained", "buffer", "dinov2"])
def test_no_door_takes_a_flipped_bit(tmp_path, load):
    path = tmp_path / "weights.pth"
    write_checkpoint({"state_dict": {"weight": torch.ones(500, 1)}}, path)
    data = bytearray(path.read_bytes())
    place = data.index(b"\x00\x00\x80\x3f" * 20) + 40  # within the weights
    data[place] ^= 1
    path.write_bytes(data)
    loaded = torch.load(path, weights_only=True)["state_dict"]["weight"]
    assert not torch.equal(loaded, torch.ones(500, 1))  # PyTorch takes it
    model = torch.nn.Linear(1, 500, bias=False)
    with pytest.raises((CheckpointError, ValueError), match=r"checksum of its part .* not match"):
        if load == "load_from":
            load_checkpoint(model, str(path))
        elif load == "pretrained":
            PretrainedInit(checkpoint=str(path))(model)
        elif load == "buffer":
            mmengine_checkpoint._safe_torch_load(io.BytesIO(bytes(data)))
        else:
            DINOv2("small", checkpoint=str(path)).init_weights()


def test_what_is_no_checkpoint_is_called_so(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"\xef\xbb\xbf{}")
    with pytest.raises(CheckpointError, match=r"it starts with .*as no checkpoint does"):
        read_checkpoint(path)
