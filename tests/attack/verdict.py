"""What was tried and what held, as values; and the table of it, at most 80 columns wide."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

COLUMNS = 80
FAILURES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Tried:
    """One row. ``check`` is the one command with which a stranger sees it; ``failures`` what did not hold."""

    part: str
    what: str
    tried: int
    failures: Sequence[str]
    check: str

    @property
    def held(self) -> bool:
        """Whether all of it did, and there was something."""
        return not self.failures and self.tried > 0


PREPARE = (
    'eval "$(.venv/bin/devstack env)"; T="Authorization: Bearer $(make -s token)"',
    'C="Authorization: Bearer $(make -s token ORG=$(uuidgen))"',
)
"""What the commands of the table begin with, once."""


def table(rows: Iterable[Tried]) -> Iterable[str]:
    """The lines."""
    yield "To check a row by hand, first:"
    yield from (f"  {line}" for line in PREPARE)
    yield "-" * COLUMNS
    for row in rows:
        broken = min(len(row.failures), row.tried)
        count = f"{row.tried - broken:,} of {row.tried:,}"
        yield f"{'held' if row.held else 'NOT HELD':<8}  {count:>14}  {row.what}"
        yield f"  $ {row.check}"
        yield from (f"    {line}"[:COLUMNS] for line in row.failures[:FAILURES_SHOWN])
        if len(row.failures) > FAILURES_SHOWN:
            yield f"    and {len(row.failures) - FAILURES_SHOWN:,} more"
    yield "-" * COLUMNS


def last_line(rows: Sequence[Tried], seconds: float) -> str:
    """All of it as one JSON object."""
    return json.dumps(
        {
            "held": bool(rows) and all(row.held for row in rows),
            "tried": sum(row.tried for row in rows),
            "seconds": round(seconds, 1),
            "rows": [{**asdict(row), "failures": list(row.failures)[:FAILURES_SHOWN]} for row in rows],
        }
    )
