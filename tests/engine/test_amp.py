"""bfloat16 on a CPU where MMEngine's wrapper gives up."""

import os
import subprocess
import sys
import time

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from ssdet.engine import CpuAmpOptimWrapper
from ssdet.engine.amp import bf16_factor

from .toy import toy

needs_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason="float16 is used with CUDA")


@needs_cpu
def test_amp_of_a_config_becomes_bfloat16(tmp_path, monkeypatch):
    monkeypatch.setattr("ssdet.engine.amp.bf16_factor", lambda: 1.0)
    runner = toy(
        tmp_path, optim_wrapper__type="AmpOptimWrapper", optim_wrapper__loss_scale="dynamic"
    )
    seen = []
    runner.model.layer.register_forward_hook(lambda _, __, out: seen.append(out.dtype))
    runner.train()
    assert type(runner.optim_wrapper) is CpuAmpOptimWrapper
    assert torch.bfloat16 in seen  # in training
    assert torch.float32 in seen  # in validation
    assert all(p.dtype == torch.float32 for p in runner.model.parameters())


@needs_cpu
def test_amp_is_left_out_where_it_is_slower(tmp_path, monkeypatch):
    monkeypatch.setattr("ssdet.engine.amp.bf16_factor", lambda: 31.4)
    runner = toy(
        tmp_path, optim_wrapper__type="AmpOptimWrapper", optim_wrapper__loss_scale="dynamic"
    )
    runner.train()
    assert type(runner.optim_wrapper) is OptimWrapper
    text = (tmp_path / "train.log").read_text()
    assert "takes 31 times as long" in text and "WARNING" in text


@pytest.mark.parametrize(
    ("native", "used"), [(True, True), (True, False), (False, True), (None, True)]
)
def test_the_factor_is_measured_where_the_cpu_does_not_tell(monkeypatch, native, used):
    """It says nothing, or what it says is not what convolutions do (ONEDNN_MAX_CPU_ISA)."""
    monkeypatch.setattr("ssdet.engine.amp._onednn_uses_it", lambda: used)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        if native is None:  # PyTorch 2.4
            monkeypatch.delattr(torch.cpu, name, raising=False)
        else:
            monkeypatch.setattr(torch.cpu, name, lambda: native, raising=False)
    bf16_factor.cache_clear()
    measured = []
    real = torch.nn.functional.conv2d
    monkeypatch.setattr(
        torch.nn.functional, "conv2d", lambda *a, **k: measured.append(1) or real(*a, **k)
    )
    factor = bf16_factor()
    known = native and used
    assert (factor == 1.0 and not measured) if known else (factor > 0 and len(measured) == 10)
    bf16_factor.cache_clear()


def test_what_onednn_may_use_is_asked_of_it():
    """Of a process of its own, since it looks once."""
    asked = "from ssdet.engine.amp import _onednn_uses_it; print(_onednn_uses_it())"
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asked],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "SSE41"}, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout.split()[-1:] == ["False"], found.stderr


def test_waiting_for_a_busy_core_does_not_count(monkeypatch):
    """Threads of float32 may wait on a busy machine, while plain loops of bfloat16 compute."""
    monkeypatch.setattr("ssdet.engine.amp._BUILT_IN", ())
    threads = torch.get_num_threads()
    seen = []

    def convolution(image, *_, **__):
        seen.append(torch.get_num_threads())
        end = time.thread_time() + (0.005 if image.dtype == torch.bfloat16 else 0.001)
        if image.dtype == torch.float32:
            time.sleep(0.02)
        while time.thread_time() < end:
            pass

    monkeypatch.setattr(torch.nn.functional, "conv2d", convolution)
    bf16_factor.cache_clear()
    assert 2 < bf16_factor() < 10
    assert set(seen) == {1} and torch.get_num_threads() == threads
    bf16_factor.cache_clear()


def test_accumulated_steps_equal_one_step_with_the_mean_loss():
    results = []
    for count in (1, 2):
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 1)
        data = torch.randn(4, 4)
        wrapper = CpuAmpOptimWrapper(
            optimizer=torch.optim.SGD(model.parameters(), lr=0.5), accumulative_counts=count
        )
        for part in data.chunk(count):
            with wrapper.optim_context(model):
                assert model(part).dtype == torch.bfloat16
                loss = model(part).float().mean()
            wrapper.update_params(loss)
        results.append(model.weight.detach().clone())
    assert torch.allclose(*results, atol=1e-2) and not torch.equal(results[0], torch.zeros(1, 4))


@needs_cpu
def test_mmengines_own_wrapper_still_refuses_a_cpu():
    """If this fails, `CpuAmpOptimWrapper` has had its day."""
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=1.0)
    with pytest.raises(AssertionError):
        AmpOptimWrapper(optimizer=optimizer)
