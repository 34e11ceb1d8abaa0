"""`torchrun ... ssdet train` as a user starts it, on one machine or as several on loopback."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from .harness import CONFIGS, ROOT

LIMIT = 300
MARK = "SSDET_TEST_RUN"  # each process of a run inherits it


class Torchrun:
    """One agent with its processes; the agent of another machine joins by the same `port`."""

    def __init__(self, config, work_dir, *options, node=(), restarts=0, **environment):
        self.log = Path(f"{work_dir}{''.join(map(str, node[:1]))}.out")
        self.mark = f"{self.log}"
        where = ["--standalone", "--nproc_per_node", "2"]
        if node:
            number, port = node
            where = ["--nnodes", "2", "--node_rank", str(number), "--nproc_per_node", "1",
                     "--rdzv_backend", "c10d", "--rdzv_endpoint", f"127.0.0.1:{port}",
                     "--rdzv_id", "ssdet", "--rdzv_conf", f"is_host={number == 0}",
                     "--local_addr", "127.0.0.1"]  # fmt: skip
        command = [
            sys.executable, "-m", "torch.distributed.run", *where, "--max-restarts", str(restarts),
            "-m", "ssdet.cli", "train", str(CONFIGS / config), "--launcher", "pytorch",
            "--work-dir", str(work_dir), *options,
        ]  # fmt: skip
        variables = dict(OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", PYTHONPATH=str(ROOT))
        variables |= {MARK: self.mark, **environment}
        with self.log.open("w") as file:
            self.process = subprocess.Popen(
                command, env={**os.environ, **variables}, cwd=self.log.parent, stdout=file,
                stderr=file, start_new_session=True,
            )  # fmt: skip

    @property
    def output(self):
        return self.log.read_text()

    def wait(self):
        """The exit code of torchrun; one that hangs is an error."""
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.output[-4000:]}") from None
        finally:
            if self.process.poll() is None:
                self.kill()

    def kill(self):
        """The whole machine loses its power."""
        for number in self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.process.wait()

    def says(self, text):
        """Wait until it has printed this."""
        end = time.time() + LIMIT
        while text not in self.output:
            assert self.process.poll() is None and time.time() < end, self.output[-4000:]
            time.sleep(0.1)

    def alive(self):
        """The processes that are left, whoever is their parent now."""
        marked = f"{MARK}={self.mark}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state = (path / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and marked in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
        return found

    def codes(self):
        """How torchrun says that its processes ended: exit codes by rank."""
        found = re.findall(r"rank +: (\d+) .*?\n +exitcode +: (-?\d+)", self.output)
        return {int(rank): int(code) for rank, code in found}
