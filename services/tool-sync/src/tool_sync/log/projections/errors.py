"""Why a projection could not be rebuilt or verified; the live table is untouched, or right as far as it was written.

::

    RebuildError
    ├── UnknownProjection   there is none of that name
    ├── AlreadyRunning      somebody else rebuilds it now
    ├── FoldRaised          its function refuses an event, which is named
    ├── DiskFull            the temporary table found no room
    └── DatabaseTrouble     anything else that PostgreSQL said
"""

from collections.abc import Sequence


class RebuildError(Exception):
    """The root; the message is for an operator."""


class UnknownProjection(RebuildError):
    """Fields: name, known."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(f"there is no projection {name!r}; known are {', '.join(known)}")


class AlreadyRunning(RebuildError):
    """Field: name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name}: another rebuild is running; wait for it or end it")


class FoldRaised(RebuildError):
    """``position`` is that of the first event that the fold refuses. Fields: name, position, reason."""

    def __init__(self, name: str, position: int, reason: str) -> None:
        self.name, self.position, self.reason = name, position, reason
        super().__init__(f"{name}: its fold raises at position {position}: {reason}; the table is as it was")


class DiskFull(RebuildError):
    """Fields: name, reason."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(
            f"{name}: PostgreSQL has no room left on its disk: {reason}; a rebuild needs as much again as the table"
        )


class DatabaseTrouble(RebuildError):
    """Fields: name, reason."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}; start it again, nothing is half done")
