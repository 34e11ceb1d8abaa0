"""Several runs one after the other in the processes that torchrun starts; imports cost seconds.

`python -m tests.reliability.several_runs '[[environment, arguments], ...]'`
"""

import json
import os
import sys

import torch

from tests.reliability import preload  # noqa: F401

torch.set_num_threads(1)

if __name__ == "__main__":
    from ssdet.cli import main

    for environment, arguments in json.loads(sys.argv[1]):
        os.environ.update(environment)
        code = main(arguments)
        if code:
            sys.exit(code)
        for name in environment:
            del os.environ[name]
