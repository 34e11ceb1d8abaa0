"""Several runs one after the other in the processes that torchrun starts; imports cost seconds.

`python -m tests.reliability.several_runs '[[environment, arguments], ...]'`
"""

import json
import os
import sys
import time

import torch

from tests.reliability import preload  # noqa: F401

torch.set_num_threads(1)
make_folder = os.mkdir


def make_folder_slowly(*args, **kwargs):
    """Who comes second looks late at the folder that is there, as on a busy machine."""
    try:
        make_folder(*args, **kwargs)
    except FileExistsError:
        time.sleep(0.3)
        raise


if __name__ == "__main__":
    from ssdet.cli import main

    os.mkdir = make_folder_slowly
    for environment, arguments in json.loads(sys.argv[1]):
        os.environ.update(environment)
        code = main(arguments)
        if code:
            sys.exit(code)
        for name in environment:
            del os.environ[name]
