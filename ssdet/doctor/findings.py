"""All findings of the doctor: grouped, counted, and as JSON."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from ..formats.issues import Issue, Issues, Severity

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
_JSON = ("severity", "subject", "what", "where", "found", "allowed", "advice", "left_out", "times")


def never(issue: Issue) -> bool:
    """No issue is left out."""
    return False


@dataclass
class ClassCount:
    """How often a class is there; `objects` is None for label maps."""

    images: int = 0
    objects: int | None = 0

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.images} images" + (f", {self.objects} objects" if self.objects else "")


@dataclass
class Findings(Issues):
    """All issues of an examination, and what was looked at.

    Attributes:
        looked_at: What of a source, or by a check, was looked at.
        taken_for: The format of a source that was recognized, and why.
        classes: Source -> class -> how often it is there.
    """

    longest: ClassVar[int] = 400

    looked_at: dict[str, str] = field(default_factory=dict)
    taken_for: dict[str, str] = field(default_factory=dict)
    classes: dict[str, dict[str, ClassCount]] = field(default_factory=dict)

    def extend(self, issues: Iterable[Issue], left_out: Callable[[Issue], bool] = never) -> None:
        """Take over what a reader found.

        `left_out` says after which errors a training goes on without the record; what this reader
        would do is not what the data set of the config does.
        """
        for issue in issues:
            skipped = issue.severity == "error" and left_out(issue)
            self.put(replace(issue, left_out=skipped))

    def groups(self) -> Iterator[list[Issue]]:
        """Issues of one kind each: errors first, then in the order they were made."""
        kinds: dict[tuple[str, str, str], list[Issue]] = {}
        for issue in self.found:
            kinds.setdefault((issue.severity, issue.subject, issue.what), []).append(issue)
        for severity in SEVERITIES:
            yield from (group for key, group in kinds.items() if key[0] == severity)

    def count(self, severity: Severity) -> int:
        """How many findings of a severity there are."""
        return sum(issue.times for issue in self.of(severity))

    def failed(self, *, strict: bool = False) -> bool:
        """Whether there is an error (or, if strict, a warning)."""
        return bool(self.of("error", "warning") if strict else self.of("error"))

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        counts = {severity: self.count(severity) for severity in SEVERITIES}
        findings = [
            {key: getattr(issue, key) for key in _JSON}
            for group in self.groups()
            for issue in group
        ]
        seen = {
            "looked_at": self.looked_at,
            "taken_for": self.taken_for,
            "classes": {name: {c: asdict(n) for c, n in table.items()}
                        for name, table in self.classes.items()},
        }  # fmt: skip
        return {**seen, "counts": counts, "findings": findings}
