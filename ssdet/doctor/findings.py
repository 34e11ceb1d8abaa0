"""What the doctor found: one shape for all checks, grouped, counted, and as JSON."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..formats.issues import Issue, short

Severity = Literal["error", "warning", "info"]
Subject = Literal["files", "annotations", "splits", "views", "config"]
_LONGEST = 400  # characters of what was found
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


def never(issue: Issue) -> bool:
    """No issue is left out."""
    return False


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        severity: 'error': wrong results or no training. 'warning': training goes on, look at it.
            'info': good to know.
        subject: Which check.
        what: The kind of finding in a few words; findings are counted by it.
        where: File, and line or id; or a key of the config.
        found, allowed: In the words of the file.
        advice: What to do.
        left_out: An error after which training goes on without the record.
    """

    severity: Severity
    subject: Subject
    what: str
    where: str
    found: str
    allowed: str
    advice: str
    left_out: bool = False

    def __str__(self) -> str:
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{self.where}: {self.what}: found {self.found}{allowed}. {self.advice}"


@dataclass
class Findings:
    """All findings of an examination, and what was looked at."""

    found: list[Finding] = field(default_factory=list)
    looked_at: dict[str, str] = field(default_factory=dict)

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
    ) -> None:
        """Note a finding."""
        values = str(where), short(found, _LONGEST), allowed, advice
        self.found.append(Finding(severity, subject, what, *values))

    def extend(self, issues: Iterable[Issue], left_out: Callable[[Issue], bool] = never) -> None:
        """Take over what a reader found; `left_out` says after which issues training goes on."""
        for issue in issues:
            severity: Severity = "warning" if issue.severity == "warning" else "error"
            skipped = severity == "error" and left_out(issue)
            values = issue.where, issue.found, issue.allowed, issue.advice
            self.found.append(Finding(severity, "annotations", issue.what, *values, skipped))

    def of(self, *severities: Severity) -> list[Finding]:
        """The findings of these severities."""
        return [finding for finding in self.found if finding.severity in severities]

    def groups(self) -> Iterator[list[Finding]]:
        """Findings of one kind each: errors first, then in the order they were made."""
        kinds: dict[tuple[str, str, str], list[Finding]] = {}
        for finding in self.found:
            key = (finding.severity, finding.subject, finding.what)
            kinds.setdefault(key, []).append(finding)
        for severity in SEVERITIES:
            yield from (group for key, group in kinds.items() if key[0] == severity)

    def failed(self, *, strict: bool = False) -> bool:
        """Whether there is an error (or, if strict, a warning)."""
        return bool(self.of("error", "warning") if strict else self.of("error"))

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        counts = {severity: len(self.of(severity)) for severity in SEVERITIES}
        findings = [asdict(finding) for group in self.groups() for finding in group]
        return {"looked_at": self.looked_at, "counts": counts, "findings": findings}
