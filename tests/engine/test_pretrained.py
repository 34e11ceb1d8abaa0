"""Pretrained names need no torchvision; a download is whole or absent; no network is told."""

import hashlib
import http.server
import io
import json
import os
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import mmengine
import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint

from ssdet.cli import main
from ssdet.doctor.findings import Findings
from ssdet.doctor.weights import check_weights
from ssdet.engine import CheckpointError, UsageError, download, weight_names
from ssdet.engine.weight_names import address, cached, names_in
from tests.reliability.harness import CONFIGS
from tests.reliability.harness import server as forked

TORCHVISION = "https://download.pytorch.org/models/"


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "torch/hub/checkpoints"


def weights(value=1.0):
    buffer = io.BytesIO()
    torch.save({"weight": torch.full((1, 1), value), "bias": torch.zeros(1)}, buffer)
    return buffer.getvalue()


@pytest.fixture
def server():
    """Serves `files` (path -> bytes); a `short` one announces more than it sends."""
    state = SimpleNamespace(files={}, short=False, asked=[])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state.asked.append(self.path)
            data = state.files.get(self.path)
            if data is None:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if state.short else data)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{web.server_address[1]}"
        yield state
        web.shutdown()


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("torchvision://resnet50", f"{TORCHVISION}resnet50-0676ba61.pth"),
        ("torchvision://resnet50.default", f"{TORCHVISION}resnet50-11ad3fa6.pth"),
        ("torchvision://resnet50.imagenet1k_v2", f"{TORCHVISION}resnet50-11ad3fa6.pth"),
        ("torchvision://ResNet50_Weights.IMAGENET1K_V1", f"{TORCHVISION}resnet50-0676ba61.pth"),
        ("modelzoo://resnet18", f"{TORCHVISION}resnet18-f37072fd.pth"),
        # MMEngine's list has a former name of this file, whose hash was wrong.
        ("torchvision://efficientnet_b0", f"{TORCHVISION}efficientnet_b0_rwightman-7f5810bc.pth"),
        ("https://example.org/x.pth", "https://example.org/x.pth"),
        ("work_dirs/x.pth", "work_dirs/x.pth"),
    ],
)
def test_a_name_becomes_an_address(name, url):
    assert address(name) == url


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("open-mmlab://resnet50_v1c", "resnet50_v1c-2cccc1ad.pth"),
        ("openmmlab://detectron2/resnet50_caffe", "resnet50_msra-5891d200.pth"),
        ("open-mmlab://resnet50_caffe", "resnet50_caffe-788b5fa3.pth"),  # a former name
        ("mmcls://mobilenet_v2", "mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth"),
        ("mmdet://retinanet_r50_fpn_1x_coco", "retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth"),
        ("mmseg://fcn_r50-d8_4xb2-40k_cityscapes-512x1024", ".pth"),
    ],
)
def test_names_of_open_mmlab(name, end):
    found = address(name)
    assert found.startswith("https://") and found.endswith(end)


def test_every_name_of_mmengine_is_known_without_torchvision(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torchvision", None)
    hub_files = Path(mmengine.__file__).parent / "hub"
    former = json.loads((hub_files / "torchvision_0.12.json").read_text())
    wrong_hash = {f"efficientnet_b{n}" for n in range(8)}
    for name, url in former.items():
        if url is not None and name not in wrong_hash:
            assert address(f"torchvision://{name}") == url
    for file, scheme in (("openmmlab", "open-mmlab"), ("mmcls", "mmcls")):
        for name, url in json.loads((hub_files / f"{file}.json").read_text()).items():
            assert address(f"{scheme}://{name}") == url


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("torchvision://resnet5", "did you mean torchvision://resnet50"),
        ("open-mmlab://resnet50_v1k", "open-mmlab://resnet50_v1c"),
        ("mmdet://retinanet_r50_fpn_1x", "mmdet://retinanet_r50_fpn_1x_coco"),
        ("mmcls://zzzzzzzz", "no such name; Or give a file"),
    ],
)
def test_an_unknown_name_is_named_with_its_like(name, near):
    with pytest.raises(UsageError, match=f"weights {name}: no such name") as found:
        CheckpointLoader.load_checkpoint(name)
    assert near in str(found.value) and "https://" in str(found.value)


def test_weights_are_downloaded_once_and_kept_where_torch_keeps_them(server, hub):
    data = weights(3.0)
    name = f"/x-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    server.files[name] = data
    model = torch.nn.Linear(1, 1)
    for _ in range(2):
        load_checkpoint(model, server.url + name, strict=True)
    assert float(model.weight) == 3 and server.asked == [name]
    assert [path.name for path in hub.iterdir()] == [name[1:]]


def test_mmcls_gives_its_backbone(server, hub):
    hub.mkdir(parents=True)
    content = {"state_dict": {"backbone.a": torch.ones(1), "head.b": torch.ones(1)}}
    torch.save(content, cached(address("mmcls://resnet50")))
    assert list(CheckpointLoader.load_checkpoint("mmcls://resnet50")["state_dict"]) == ["a"]


@pytest.mark.parametrize(
    ("file", "short", "words"),
    [
        ("/x.pth", True, r"ended after \d+ of \d+ bytes"),
        ("/x-00000000.pth", False, "where the name of the file says 00000000"),
        ("/gone.pth", False, "the server answered 404"),
    ],
)
def test_a_bad_download_leaves_nothing(server, hub, file, short, words):
    server.short = short
    if "gone" not in file:
        server.files[file] = weights()
    with pytest.raises(CheckpointError, match=words) as found:
        CheckpointLoader.load_checkpoint(server.url + file)
    assert f"curl -fL --create-dirs -o {hub / file[1:]} {server.url}{file}" in str(found.value)
    assert not hub.exists() or list(hub.iterdir()) == []


@pytest.mark.parametrize("how", ["unknown", "silent"])
def test_no_network_is_one_message_in_two_seconds(how, hub, monkeypatch):
    def connect(place, timeout):
        if how == "unknown":
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        answers.wait(60)

    answers = threading.Event()
    monkeypatch.setattr(socket, "create_connection", connect)
    start = time.monotonic()
    with pytest.raises(CheckpointError) as found:
        CheckpointLoader.load_checkpoint("torchvision://resnet18")
    answers.set()
    assert time.monotonic() - start < 30  # of 60; below, it says itself that it waited for two
    reason = {"unknown": "Temporary failure in name resolution", "silent": "did not answer in 1.8"}
    url = f"{TORCHVISION}resnet18-f37072fd.pth"
    assert str(found.value).startswith(f"weights torchvision://resnet18 ({url}) are not in {hub}")
    assert reason[how] in str(found.value)
    assert f"curl -fL --create-dirs -o {hub}/resnet18-f37072fd.pth {url}" in str(found.value)


def test_one_process_of_each_machine_downloads(server, monkeypatch, hub):
    """Rank 8 of 16 is the first of its machine; rank 9 is not, and hears what went wrong."""
    server.files["/x.pth"] = weights()
    gathered = []
    monkeypatch.setattr(download, "all_gather_object", lambda x: gathered.append(x) or [x])
    for rank in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        monkeypatch.setattr(download, "get_rank", lambda rank=rank: 8 + int(rank))
        assert download.fetch(f"{server.url}/x.pth") == hub / "x.pth"
        (hub / "x.pth").unlink(missing_ok=True)
    assert server.asked == ["/x.pth"] and gathered == ["", ""]
    monkeypatch.setattr(download, "all_gather_object", lambda x: ["", "the disk is full", x])
    with pytest.raises(CheckpointError, match="could not be downloaded: the disk is full"):
        download.fetch(f"{server.url}/x.pth")


def machine(rank, folder, url):
    """Rank 0 and 1 on machines of their own; the second one has no room for another file."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK="0")
    os.environ["TORCH_HOME"] = str(folder / f"machine{rank}")
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    CheckpointLoader.load_checkpoint(f"{url}/x.pth")
    if rank == 1:
        download.os.replace = lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    with pytest.raises(CheckpointError, match="No space left"):
        CheckpointLoader.load_checkpoint(f"{url}/y.pth")
    torch.distributed.destroy_process_group()


def test_every_machine_has_its_own_and_hears_of_the_other(server, tmp_path):
    server.files = {"/x.pth": weights(), "/y.pth": weights()}
    processes = [
        forked().Process(target=machine, args=(rank, tmp_path, server.url)) for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.p*t*"))
    place = "hub/checkpoints"
    assert files == [
        f"machine0/{place}/x.pth",
        f"machine0/{place}/y.pth",
        f"machine1/{place}/x.pth",
    ]


def made(**backbone):
    return Config(dict(model=dict(detector=dict(backbone=backbone)), load_from=None))


def test_the_doctor_tells_what_is_missing(hub, tmp_path, monkeypatch):
    def found(config):
        findings = Findings()
        check_weights(config, findings)
        return [(f.severity, f.what) for f in findings.found]

    pretrained = dict(type="Pretrained", checkpoint="torchvision://resnet18")
    assert names_in(made(init_cfg=pretrained)) == ["torchvision://resnet18"]
    assert found(made(init_cfg=pretrained)) == [("info", "weights that are not here yet")]
    hub.mkdir(parents=True)
    cached(address("torchvision://resnet18")).touch()
    assert found(made(init_cfg=pretrained)) == []
    missing = [("error", "weights that are not there")]
    assert found(made(checkpoint=str(tmp_path / "gone.pth"))) == missing
    assert found(Config(dict(model={}, load_from="gone.pth"))) == missing
    unknown = [("error", "unknown name of pretrained weights")]
    assert found(made(pretrained="torchvision://resnet5")) == unknown
    absent = lambda: {"efficientnet-lite0": weight_names._NO_PACKAGE}  # noqa: E731
    monkeypatch.setitem(weight_names.SCHEMES, "package", absent)
    not_installed = [("error", "weights of a package that is not installed")]
    assert found(made(pretrained="package://efficientnet-lite0")) == not_installed
    assert found(made(pretrained="package://efficientnet-lite9")) == unknown
    assert found(made(pretrained=None, init_cfg=dict(type="Kaiming"))) == []
    assert found(made(checkpoint="s3://bucket/x.pth")) == []


@pytest.mark.parametrize(
    ("checkpoint", "code", "words"),
    [("torchvision://resnet18", 74, "out of reach (no network)"), ("gone.pth", 65, "not there")],
)
def test_train_says_it_before_it_reads_data(checkpoint, code, words, tmp_path, capsys, monkeypatch):
    def connect(place, timeout):
        raise OSError(101, "no network")

    monkeypatch.setattr(socket, "create_connection", connect)
    path = tmp_path / "mine.py"
    path.write_text(
        f"_base_ = {str(CONFIGS / 'segmentation.py')!r}\n"
        f"start = dict(type='Pretrained', checkpoint={checkpoint!r})\n"
        f"model = dict(segmentor=dict(backbone=dict(init_cfg=start)))\n"
    )
    assert main(["train", str(path), "--work-dir", str(tmp_path / "run")]) == code
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    log = tmp_path / "run/train.log"
    assert not log.exists() or "Loads checkpoint" not in log.read_text()
