"""`python -m ssdet.cli ...` is the `ssdet` command, for launchers that start modules."""

from . import command

if __name__ == "__main__":
    command()
