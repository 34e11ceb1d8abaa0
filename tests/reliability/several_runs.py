"""Several runs one after the other in the processes of torchrun's agent; starts cost seconds."""

import os
import time

import torch

make_folder = os.mkdir


def make_folder_slowly(*args, **kwargs):
    """Who comes second looks late at the folder that is there, as on a busy machine."""
    try:
        make_folder(*args, **kwargs)
    except FileExistsError:
        time.sleep(0.3)
        raise


def several_runs(runs):
    """Each is (environment, arguments); a run that fails ends the process."""
    from ssdet.cli import main

    torch.set_num_threads(1)
    os.mkdir = make_folder_slowly
    for environment, arguments in runs:
        os.environ.update(environment)
        code = main(arguments)
        if code:
            raise SystemExit(code)
        for name in environment:
            del os.environ[name]
