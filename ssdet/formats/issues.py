"""What is wrong with data or a config: one shape for it, and how it ends a command."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from reprlib import Repr
from typing import ClassVar, Literal, NoReturn

from ..exits import Exit, RunError
from ..messages import log, warn

Severity = Literal["error", "warning", "info"]
Subject = Literal["files", "annotations", "splits", "views", "config", "weights", "model"]
Kind = Literal["", "unknown image", "unknown category", "empty box", "outside box", "closed"]
_SHOWN = 5
# A value from a file may hold millions of others, or itself.
_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 8, 400, 400, 400
_SHORT.maxlist = _SHORT.maxdict = _SHORT.maxtuple = 40


@dataclass(frozen=True)
class Issue:
    """One finding, of a reader or of the doctor.

    Attributes:
        what: The kind of finding in a few words; findings are counted by it.
        where: File, and line or id; or a key of the config.
        found, allowed: In the words of the file.
        advice: The next step.
        severity: 'error': wrong results, or no training. 'warning': it goes on, corrected where
            `what` says so. 'info': good to know.
        subject: What was checked.
        left_out: An error of one record, which is left out where reading need not be strict. After
            any other error nothing of the file can be trusted.
        kind: A name for code that has to tell this finding from others; the text may change.
        times: How many findings it stands for: beyond `Issues.most` of a kind they are counted.

    All text is made printable: a name from a file may hold what moves a cursor.
    """

    what: str
    where: str
    found: str
    allowed: str
    advice: str
    severity: Severity = "error"
    subject: Subject = "annotations"
    left_out: bool = False
    kind: Kind = ""
    times: int = 1

    def __post_init__(self) -> None:
        for name in ("what", "where", "found", "allowed", "advice"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def __str__(self) -> str:
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{self.where}: {self.what}: found {self.found}{allowed}. {self.advice}"


class DataError(RunError, ValueError):
    """A data set is not what it must be; the message names file, place, cause and next step."""

    exit_code = Exit.DATA

    def __init__(self, *issues: Issue) -> None:
        self.issues = issues
        super().__init__(_message(issues))


@dataclass
class Issues:
    """Collects the findings of one reading."""

    longest: ClassVar[int] = 80  # characters of what was found
    most: ClassVar[int] = 1000  # of a kind that are kept one by one

    found: list[Issue] = field(default_factory=list)
    _kinds: Counter[tuple[str, Severity, bool]] = field(default_factory=Counter, repr=False)
    _last: dict[tuple[str, Severity, bool], int] = field(default_factory=dict, repr=False)

    def add(
        self,
        severity: Severity,
        subject: Subject,
        what: str,
        where: object,
        *,
        found: object,
        allowed: str = "",
        advice: str,
        left_out: bool = False,
        kind: Kind = "",
    ) -> None:
        """Note a finding and go on."""
        text = short(found, self.longest)
        self.put(Issue(what, str(where), text, allowed, advice, severity, subject, left_out, kind))

    def put(self, issue: Issue) -> None:
        """Take over a finding."""
        key = issue.what, issue.severity, issue.left_out
        self._kinds[key] += 1
        place = self._last.get(key, 0)
        if self._kinds[key] > self.most and place < len(self.found):
            last = self.found[place]
            if (last.what, last.severity, last.left_out) == key:
                self.found[place] = replace(last, times=last.times + issue.times)
                return
        self._last[key] = len(self.found)
        self.found.append(issue)

    def leave_out(
        self,
        what: str,
        where: object,
        *,
        found: object,
        allowed: str,
        advice: str,
        kind: Kind = "",
    ) -> None:
        """Note why a record cannot be used, and go on without it."""
        self.add(
            "error", "annotations", what, where, found=found, allowed=allowed, advice=advice,
            left_out=True, kind=kind,
        )  # fmt: skip

    def warn(self, what: str, where: object, *, found: object, allowed: str, advice: str) -> None:
        """Note what is odd, and go on."""
        self.add("warning", "annotations", what, where, found=found, allowed=allowed, advice=advice)

    def of(self, *severities: Severity) -> list[Issue]:
        """The findings of these severities, in the order they were made."""
        return [issue for issue in self.found if issue.severity in severities]

    def raise_empty(
        self, what: str, where: str | Path, *, found: object, allowed: str, advice: str
    ) -> NoReturn:
        """Raise because nothing is left, together with the findings that are the reason."""
        issue = Issue(what, str(where), short(found), allowed, advice)
        raise DataError(*self.of("error"), issue)

    def finish(self, *, strict: bool) -> None:
        """Raise what must be raised, log the others: one line for each kind, with its count."""
        errors = [issue for issue in self.of("error") if strict or not issue.left_out]
        if errors:
            raise DataError(*errors)
        for line in summary(self.of("error", "warning")):
            warn(line)
        for line in summary(self.of("info")):
            log(line)


def raise_data_error(
    what: str, where: str | Path, *, found: object, allowed: str, advice: str
) -> NoReturn:
    """Raise a finding at once: what follows it cannot be read."""
    raise DataError(Issue(what, str(where), short(found), allowed, advice))


def summary(issues: Sequence[Issue], left_out: str = ", left out") -> list[str]:
    """One line for each kind of finding: how often, what became of it, and the first one."""
    counts: Counter[tuple[str, Severity, bool]] = Counter()
    for issue in issues:
        counts[issue.what, issue.severity, issue.left_out] += issue.times
    first = {(i.what, i.severity, i.left_out): i for i in reversed(issues)}
    return [
        f"{count} x {key[0]}{left_out if key[2] else ''}; first: {first[key]}"
        for key, count in counts.items()
    ]


def short(value: object, length: int = Issues.longest) -> str:
    """A value as it stands in the file, shortened."""
    text = str(value) if isinstance(value, (str, Path)) else _SHORT.repr(value)
    return printable(text if len(text) <= length else f"{text[: length - 3]}...")


def printable(text: str) -> str:
    """Text of a file as it may be printed: what moves a cursor or is no letter is spelled out."""
    return text if text.isprintable() else "".join(map(_spelled, text))


def _spelled(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()


def _message(issues: Sequence[Issue]) -> str:
    if len(issues) == 1:
        return str(issues[0])
    lines = summary(issues, left_out="")  # nothing goes on after an error that is raised
    more = f"\n  and {len(lines) - _SHOWN} more kinds" if len(lines) > _SHOWN else ""
    shown = "\n  ".join(lines[:_SHOWN])
    return f"{sum(issue.times for issue in issues)} issues:\n  {shown}{more}"
