"""The published versions of a tool's definition: the events of ``blueprint-<tool>``."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BlueprintPublished:
    """A version of a tool's definition is what every org of the tier, or a higher one, gets from now on.

    ``document`` is what is registered at Vapi, with the nil UUID in the place of the org's; null in old events.
    """

    name: str
    version: int
    tier: str
    asynchronous: bool
    definition_hash: str
    document: dict[str, Any] | None = None
