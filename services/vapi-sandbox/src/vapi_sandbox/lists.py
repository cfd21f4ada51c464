"""How lists misbehave: their order, and how old what they show is, for all objects or for each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from random import Random
from typing import Literal

LIST_LAG_MS_MAX = 60_000
Order = Literal["newest", "oldest", "random"]


@dataclass(frozen=True, slots=True)
class Lag:
    """How many milliseconds old the state is that lists show of an object.

    `all_ms` holds for every object. Beside it a `share` of the objects lags by up to `own_ms`, each by its own part of
    it, chosen by `seed` and the object's id: so a newer object may show before an older one.
    """

    all_ms: int = 0
    share: float = 0.0
    own_ms: int = 0
    seed: int = 1

    @property
    def longest_ms(self) -> int:
        """Return the longest lag that an object can have."""
        return max(self.all_ms, self.own_ms if self.share > 0 else 0)

    def of_ms(self, resource_id: str) -> float:
        """Return the lag of one object; the same seed and id give the same."""
        if self.share <= 0:
            return self.all_ms
        digest = hashlib.sha256(f"{self.seed}:{resource_id}".encode()).digest()
        chosen, part = (int.from_bytes(digest[at : at + 4]) / 2**32 for at in (0, 4))
        return max(self.all_ms, part * self.own_ms if chosen < self.share else 0)


@dataclass(frozen=True, slots=True)
class View:
    """What a list shows of a shelf; `dice` shuffles the order `random`, anew for each list."""

    order: Order = "newest"
    lag: Lag = Lag()
    dice: Random = field(default_factory=Random)


PLAIN = View()
