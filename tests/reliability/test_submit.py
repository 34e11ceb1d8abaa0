"""A job of submitit is preempted, queued again, and ends as one that nobody disturbed."""

import importlib.util
import signal
import sys
import time

import pytest

from .harness import CONFIGS, ROOT, checkpoint, difference, metrics

pytestmark = [
    pytest.mark.long, pytest.mark.reliability,
    pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="needs the signals of Unix"),
]  # fmt: skip
LIMIT = 240


@pytest.fixture
def submit(monkeypatch):
    """The `submit` of the script; the job imports nothing of it, as nothing of a script."""
    cloudpickle = pytest.importorskip("cloudpickle")
    pytest.importorskip("submitit", reason="needs ssdet[slurm]")
    pytest.importorskip("pkg_resources", reason="submitit needs setuptools<81")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("script_submit", ROOT / "tools/submit.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    yield module.submit
    cloudpickle.unregister_pickle_by_value(module)


def arguments(folder):
    return [str(CONFIGS / "segmentation.py"), "--work-dir", str(folder)]


def test_a_job_is_preempted_queued_again_and_ends_bit_for_bit(tmp_path, submit, monkeypatch):
    jobs = {}
    for name in ("whole", "cut"):
        if name == "cut":  # the signal that comes before a job is stopped
            monkeypatch.setenv("SSDET_FAULT", f"after_train_iter:4:{int(signal.SIGUSR2)}")
        folder = str(tmp_path / "jobs")
        jobs[name] = submit(arguments(tmp_path / name), folder, "local", timeout_min=8)
    end = time.time() + LIMIT
    for job in jobs.values():
        while not job.done():
            assert time.time() < end, (job.stdout(), job.stderr())
            time.sleep(0.1)
        assert job.exception() is None, job.stderr()
    cut = jobs["cut"]
    log = (tmp_path / "cut/train.log").read_text()
    assert "Stopped by SIGUSR1 after iteration 4" in log and "resumed epoch: 0, iter: 4" in log
    assert "Requeued job" in f"{cut.stderr()}{cut.stdout()}"
    one, other = tmp_path / "whole", tmp_path / "cut"
    assert difference(checkpoint(one, 10), checkpoint(other, 10)) is None
    assert metrics(one) == metrics(other)
