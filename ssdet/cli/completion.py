"""Print what lets a shell complete commands, options and their choices.

bash: eval "$(ssdet completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc, after compinit;
fish: ssdet completion fish > ~/.config/fish/completions/ssdet.fish
"""

from __future__ import annotations

import argparse
import importlib
import shlex
from dataclasses import dataclass, field

SHELLS = ("bash", "zsh", "fish")


@dataclass
class Option:
    """One argument of a command; without flags it stands by itself."""

    flags: tuple[str, ...]
    text: str
    choices: tuple[str, ...] = ()
    has_value: bool = True


@dataclass
class Command:
    """What `ssdet NAME --help` knows."""

    name: str
    text: str
    options: list[Option] = field(default_factory=list)

    @property
    def flags(self) -> list[str]:
        """All that may follow the name."""
        return [flag for option in self.options for flag in option.flags]

    @property
    def values(self) -> list[str]:
        """What an argument without a flag may be, where that is a choice."""
        return [value for option in self.options if not option.flags for value in option.choices]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the argument of `ssdet completion`."""
    parser.add_argument("shell", choices=SHELLS)


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    scripts = {"bash": bash, "zsh": zsh, "fish": fish}
    print(scripts[args.shell](commands()), end="")
    return 0


def commands() -> list[Command]:
    """Every command with its options, as their modules declare them."""
    from . import COMMANDS

    found = []
    for name, (module, text) in COMMANDS.items():
        parser = argparse.ArgumentParser()
        importlib.import_module(f".{module}", __package__).add_arguments(parser)
        shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
        found.append(Command(name, text, [_option(action) for action in shown]))
    return found


def bash(known: list[Command]) -> str:
    """A function of bash; where it has nothing to offer, bash completes file names."""
    flags, values = [], []
    for command in known:
        flags.append(f'    {command.name}) words="{" ".join(command.flags)}" ;;')
        if command.values:
            values.append(f'    {command.name}) words="{" ".join(command.values)}" ;;')
    choices = [
        f'    "{command.name} {flag}") words="{" ".join(option.choices)}" ;;'
        for command in known
        for option in command.options
        for flag in option.flags
        if option.choices
    ]
    return _BASH.format(
        names=" ".join(command.name for command in known),
        flags="\n".join(flags),
        values="\n".join(values),
        choices="\n".join(choices),
    )


def zsh(known: list[Command]) -> str:
    """The function of bash, which zsh can use."""
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash(known)}"


def fish(known: list[Command]) -> str:
    """A line for each command, option and choice."""
    lines = ["complete -c ssdet -n __fish_use_subcommand -f"]
    for command in known:
        text = shlex.quote(command.text)
        lines.append(f"complete -c ssdet -n __fish_use_subcommand -a {command.name} -d {text}")
        within = f'complete -c ssdet -n "__fish_seen_subcommand_from {command.name}"'
        if command.values:
            lines.append(f"{within} -a {shlex.quote(' '.join(command.values))}")
        for option in command.options:
            names = [
                f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                for flag in option.flags
            ]
            value = " -r" * option.has_value
            if option.choices:
                value = f" -x -a {shlex.quote(' '.join(option.choices))}"
            if names:
                lines.append(f"{within} {' '.join(names)}{value} -d {shlex.quote(option.text)}")
    return "\n".join(lines) + "\n"


def _option(action: argparse.Action) -> Option:
    choices = tuple(map(str, action.choices or _names(action)))
    text = " ".join((action.help or "").replace("%(default)s", str(action.default)).split())
    return Option(tuple(action.option_strings), text, choices, action.nargs != 0)


def _names(action: argparse.Action) -> list[str]:
    """What is no choice for argparse, since other values are allowed too, but known."""
    from ..recipes import BASES, METHODS

    return {"base": list(BASES), "method": ["auto", *METHODS]}.get(action.dest, [])


_BASH = """\
_ssdet() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}"
  local name="${{COMP_WORDS[1]}}" words=""
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "{names}" -- "$cur"))
    return
  fi
  case "$name $prev" in
{choices}
  esac
  if [[ -z $words && $cur == -* ]]; then
    case "$name" in
{flags}
    esac
  elif [[ -z $words && $prev != -* ]]; then
    case "$name" in
{values}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o bashdefault -o default -F _ssdet ssdet
"""
