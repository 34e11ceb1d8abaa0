"""What a run needs around the step: checkpoints, resume, launch, validation, one run folder.

Runners, loops, optimizer wrappers and MMEngine hooks that act between steps belong here. Not here:
hooks that act inside of a step (`ssdet.hooks`), metrics (`ssdet.evaluation`), and the exit codes,
which every package may raise (`ssdet.exits`).
"""

from ..exits import (
    CheckpointError,
    DataChangedError,
    Exit,
    LockedError,
    NumericError,
    RunError,
    Stopped,
    UsageError,
)
from ..ranks import any_rank
from .amp import CpuAmpOptimWrapper
from .checkpoint_file import read_checkpoint, write_checkpoint
from .checkpoint_hook import AtomicCheckpointHook
from .checkpoint_index import find_latest
from .distributed import PortableDistributedDataParallel, start_process_group
from .finite import FiniteGuardHook
from .loops import TeacherStudentLoop, TeacherStudentTestLoop
from .metrics_file import MetricsFileHook, read_metrics
from .out_of_memory import OutOfMemoryHook
from .profile import ProfileHook
from .progress import ProgressHook
from .run_folder import RunFolderHook
from .runner import SafeRunner
from .stop import GracefulStopHook

__all__ = [
    "AtomicCheckpointHook",
    "CheckpointError",
    "CpuAmpOptimWrapper",
    "DataChangedError",
    "Exit",
    "FiniteGuardHook",
    "GracefulStopHook",
    "LockedError",
    "MetricsFileHook",
    "NumericError",
    "OutOfMemoryHook",
    "PortableDistributedDataParallel",
    "ProfileHook",
    "ProgressHook",
    "RunError",
    "RunFolderHook",
    "SafeRunner",
    "Stopped",
    "TeacherStudentLoop",
    "TeacherStudentTestLoop",
    "UsageError",
    "any_rank",
    "find_latest",
    "read_checkpoint",
    "read_metrics",
    "start_process_group",
    "write_checkpoint",
]
