"""One walk of the feeder over the clinics: how far it is, whom it has fed, and what it has counted."""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from tool_sync.rollouts.read_back import ReadBack


@dataclass(slots=True)
class ClinicWalk:
    """For one tool, since the fleet changed at ``position``.

    ``older``: leases that were held when that was read; their runs may still decide by the fleet before it.
    ``given``: clinics that the open order gives its version, ``refused``: those of them whose tool Vapi refuses.
    ``said``: what was told to people last.
    """

    position: int
    older: Collection[UUID] = frozenset()
    after: UUID | None = None
    ended: bool = False
    ended_at: float = 0.0
    found: int = 0
    given: int = 0
    refused: int = 0
    fed: dict[UUID, float] = field(default_factory=dict)
    read_back: ReadBack | None = None
    said: str | None = None
    has_said: bool = False

    def again(self) -> None:
        """From the beginning: something differed at the last time."""
        self.after, self.ended, self.found, self.given, self.refused = None, False, 0, 0, 0
