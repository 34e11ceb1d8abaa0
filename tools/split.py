"""`ssdet split` as a script."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ssdet.cli import command

if __name__ == "__main__":
    command(["split", *sys.argv[1:]])
