"""What is wrong with a data set: one shape for every finding, and how findings end a command."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

from mmengine.logging import print_log

Severity = Literal["fatal", "error", "warning"]
_SHOWN = 5


@dataclass(frozen=True)
class Issue:
    """One finding.

    Attributes:
        what: The kind of issue in a few words; findings are counted by it.
        where: File, and line or id.
        found, allowed: In the words of the file.
        advice: The next step.
        severity: 'fatal': nothing of the file can be trusted. 'error': the record is left out.
            'warning': the record is used, corrected where `what` says so.
    """

    what: str
    where: str
    found: str
    allowed: str
    advice: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.what}: found {self.found}; allowed: {self.allowed}. {self.advice}"
        )


class DataError(ValueError):
    """A data set is not what it must be; the message names file, place, cause and next step."""

    exit_code = 65  # Exit.DATA of ssdet.engine, which stands above this room

    def __init__(self, *issues: Issue) -> None:
        self.issues = issues
        super().__init__(_message(issues))


@dataclass
class Issues:
    """Collects the findings of one reading."""

    found: list[Issue] = field(default_factory=list)

    def add(
        self,
        what: str,
        where: str | Path,
        *,
        found: object,
        allowed: str,
        advice: str,
        severity: Severity = "error",
    ) -> None:
        """Note a finding and go on."""
        self.found.append(Issue(what, str(where), short(found), allowed, advice, severity))

    def of(self, *severities: Severity) -> list[Issue]:
        """The findings of these severities, in the order they were made."""
        return [issue for issue in self.found if issue.severity in severities]

    def raise_empty(
        self, what: str, where: str | Path, *, found: object, allowed: str, advice: str
    ) -> NoReturn:
        """Raise because nothing is left, together with the findings that are the reason."""
        issue = Issue(what, str(where), short(found), allowed, advice, "fatal")
        raise DataError(*self.of("fatal", "error"), issue)

    def finish(self, *, strict: bool) -> None:
        """Raise what must be raised, log the rest: one line for each kind, with its count."""
        severe = self.of("fatal", "error") if strict else self.of("fatal")
        if severe:
            raise DataError(*severe)
        for line in summary(self.found):
            print_log(line, logger="current", level=logging.WARNING)


def raise_data_error(
    what: str, where: str | Path, *, found: object, allowed: str, advice: str
) -> NoReturn:
    """Raise a fatal finding at once: what follows it cannot be read."""
    raise DataError(Issue(what, str(where), short(found), allowed, advice, "fatal"))


def summary(issues: list[Issue]) -> list[str]:
    """One line for each kind of finding: how often, what became of it, and the first one."""
    counts = Counter((issue.what, issue.severity) for issue in issues)
    first = {(issue.what, issue.severity): issue for issue in reversed(issues)}
    fate = {"fatal": "", "error": ", left out", "warning": ""}
    return [
        f"{count} x {what}{fate[severity]}; first: {first[what, severity]}"
        for (what, severity), count in counts.items()
    ]


def short(value: object, length: int = 80) -> str:
    """A value as it stands in the file, shortened."""
    text = str(value) if isinstance(value, (str, Path)) else repr(value)
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _message(issues: tuple[Issue, ...]) -> str:
    if len(issues) == 1:
        return str(issues[0])
    lines = summary(list(issues))
    more = f"\n  and {len(lines) - _SHOWN} more kinds" if len(lines) > _SHOWN else ""
    shown = "\n  ".join(lines[:_SHOWN]).replace(", left out", "")
    return f"{len(issues)} issues:\n  {shown}{more}"
