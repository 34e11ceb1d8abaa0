"""A training under odd circumstances: no home, terminal or network, strange names, shy umask."""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.doctor import place
from tests.doctor.test_command import trainable

from ..reliability.harness import server

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
ASKING = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.symlink")


def train(config, report):
    """In a process of its own: train; tell exit code, changed paths and uses of the network."""
    folder, changed, asked = report.parent, [], []

    def note(event, arguments):
        if event in ASKING:
            asked.append(f"{event}{arguments[-1]}")
            raise OSError("there is no network")
        paths = arguments[:2] if event in CHANGES else ()
        if event in CHANGES and isinstance(arguments[-1], int) and arguments[-1] != -1:
            paths = ()  # relative to a folder that is being removed
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            paths = arguments[:1]
        paths = [os.fsdecode(p) for p in paths if isinstance(p, (str, bytes, os.PathLike))]
        changed.extend(map(os.path.abspath, paths))

    for name in ("HOME", "XDG_CACHE_HOME", "TERM", "COLUMNS"):
        os.environ.pop(name, None)
    os.environ.update(LANG="C", LC_ALL="C", TMPDIR=str(folder / "tmp"))
    # What the server of processes, which has imported torch, has looked up before.
    tempfile.tempdir = None
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "tmp")
    os.environ["MPLCONFIGDIR"] = str(folder / "tmp")  # matplotlib makes a folder when imported
    os.umask(0o077)
    os.chdir(folder)
    sys.stdout = sys.stderr = (folder / "output").open("w")
    sys.addaudithook(note)
    from ssdet.cli import main

    code = main(["train", str(config), "--work-dir", str(folder / "run")])
    report.write_text(json.dumps({"code": code, "changed": changed, "asked": asked}))


def checksums(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.reliability
def test_it_trains_offline_and_writes_into_its_run_folder_only(tmp_path):
    folder = tmp_path / "Größe und 'Zeit' (1) 写真"
    data = place.build(folder / "data")
    (folder / "tmp").mkdir()
    for path in (data, *data.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    config, report = trainable(data), folder / "report.json"
    before = checksums(data)
    process = server().Process(target=train, args=(config, report))
    process.start()
    process.join(120)
    process.kill()
    told = json.loads(report.read_text())
    assert told["code"] == 0, (folder / "output").read_text()
    assert told["asked"] == []
    assert checksums(data) == before
    run, spare = folder / "run", {folder / "tmp", Path("/dev"), Path("/proc"), report}
    changed = [Path(path) for path in told["changed"]]
    outside = [p for p in changed if run not in (p, *p.parents) and not spare & {p, *p.parents}]
    assert outside == []
    assert (run / "run.json").is_file() and (run / "config.py").stat().st_mode & 0o077 == 0
