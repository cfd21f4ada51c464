"""What the judge says: one result per rule, each violation with a counter-example, and the figures of the run."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SHOWN_MAX = 3
EXAMPLE_CHARACTERS_MAX = 400


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken: which, the story in one sentence, and the rows that show it."""

    rule: str
    story: str
    example: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    """What one rule found. Mutable while its check runs. `judged` counts the things that were looked at."""

    rule: str
    title: str
    judged: int = 0
    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def broken(self, story: str, rule: str | None = None, **example: Any) -> None:
        """Note a violation; ``rule`` where it is another promise than the result's own."""
        self.violations.append(Violation(rule or self.rule, story, example))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of a run. ``void``: why the run proves nothing, whatever was found."""

    results: tuple[Result, ...]
    void: tuple[str, ...]

    @property
    def violations(self) -> tuple[Violation, ...]:
        """All violations, in the order of the rules."""
        return tuple(violation for result in self.results for violation in result.violations)

    @property
    def rules_broken(self) -> frozenset[str]:
        """The names of the promises that were broken."""
        return frozenset(violation.rule for violation in self.violations)

    @property
    def figures(self) -> dict[str, Any]:
        """Everything that was counted and measured."""
        return {name: value for result in self.results for name, value in result.figures.items()}

    def table(self) -> str:
        """The verdict for people."""
        return "\n".join(self._lines())

    def document(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {
            "violations": [{"rule": v.rule, "story": v.story, "example": v.example} for v in self.violations],
            "void": list(self.void),
            "rules": {r.rule: {"judged": r.judged, "violations": len(r.violations)} for r in self.results},
            "figures": self.figures,
        }

    def _lines(self) -> Iterator[str]:
        yield f"{'rule':<6}{'judged':>8}{'broken':>8}  promise"
        for result in self.results:
            yield f"{result.rule:<6}{result.judged:>8}{len(result.violations):>8}  {result.title}"
            for note in result.notes:
                yield f"{'':<24}note: {note}"
            for violation in result.violations[:SHOWN_MAX]:
                example = json.dumps(violation.example, default=str)
                yield f"{'':<24}{violation.rule}: {violation.story}"
                yield f"{'':<24}  {example[:EXAMPLE_CHARACTERS_MAX]}"
            if len(result.violations) > SHOWN_MAX:
                yield f"{'':<24}… and {len(result.violations) - SHOWN_MAX} more"
        for name, value in self.figures.items():
            yield f"{name}: {value}"
        for reason in self.void:
            yield f"VOID: {reason}"
