"""What each part says about itself: None when it works, else the reason why not. `/readyz` shows it."""

from typing import Final, Literal

import structlog

Part = Literal["database", "kafka", "relay", "outcomes", "restore"]

_log: Final = structlog.get_logger()


class Health:
    """The parts' states. A change is logged once, not at every retry."""

    def __init__(self) -> None:
        self._reasons: dict[Part, str | None] = {
            "database": "not connected yet",
            "kafka": "not connected yet",
            "relay": "not started yet",
            "outcomes": "not started yet",
            "restore": None,
        }

    def works(self, part: Part) -> None:
        """Say that a part works."""
        if self._reasons[part] is not None:
            _log.info("part_ready", part=part)
        self._reasons[part] = None

    def fails(self, part: Part, reason: str) -> None:
        """Say why a part does not work."""
        if self._reasons[part] != reason:
            _log.warning("part_not_ready", part=part, reason=reason)
        self._reasons[part] = reason

    def reasons(self) -> dict[Part, str]:
        """The parts that do not work, and why."""
        return {part: reason for part, reason in self._reasons.items() if reason is not None}
