"""Clinics of the matrix: how requests name them, and the words that nobody else may read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal
from uuid import UUID

Relation = Literal["own", "foreign", "absent", "deleted"]
"""What a clinic is to somebody who asks: its own, another one, one that never was, and one that was deleted."""
SHARED_AGENT: Final = "reception"
"""An agent's id that all clinics have: ids are unique within a clinic only."""


@dataclass(frozen=True, slots=True)
class Clinic:
    """``facts`` are what requests can name of it, by kind; ``canaries`` its owner is shown, ``hidden`` nobody is."""

    org_id: UUID
    facts: Mapping[str, Any]
    canaries: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> frozenset[str]:
        """What no answer to anybody else may hold."""
        named = (value for value in self.facts.values() if isinstance(value, str))
        return frozenset({str(self.org_id), *named, *self.canaries.values(), *self.hidden.values()})


@dataclass(frozen=True, slots=True)
class Clinics:
    """The four of a world."""

    own: Clinic
    foreign: Clinic
    absent: Clinic
    deleted: Clinic

    def by_relation(self, home: Clinic | None) -> dict[Relation, Clinic]:
        """Them, as ``home`` sees them."""
        own = home or self.own
        return {
            "own": own,
            "foreign": self.foreign if own is not self.foreign else self.own,
            "absent": self.absent,
            "deleted": self.deleted,
        }

    @property
    def all(self) -> tuple[Clinic, ...]:
        """All four."""
        return (self.own, self.foreign, self.absent, self.deleted)


def word(random: Random) -> str:
    """Letters that stand nowhere else, always as many; no reason is refused for them."""
    return "zq" + "".join(random.choices("bcdfghjklmnpqrstvwxz", k=12))
