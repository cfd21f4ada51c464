"""What the reconciler asks of the clinics' own accounts. Who has none is served with the platform's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.own_credential import OwnCredential
from tool_sync.vapi.rate_limit import Key
from zerotouch_contracts.errors import ErrorCode

AGAIN: Final = timedelta(seconds=5)
"""After this an account's record is looked for again by itself. Mostly it has come long before, and said so."""


@dataclass(slots=True)
class ReadsAhead:
    """``late_at``: when an assistant was last read too early to serve its link, on the monotonic clock."""

    late_at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a clinic's own, or of several clinics': nothing of it is shared with other accounts' work."""

    vapi: VapiClient
    key: Key
    credential: OwnCredential
    reads_ahead: ReadsAhead = field(default_factory=ReadsAhead)

    @property
    def name(self) -> str:
        """As rows and events call it."""
        return self.vapi.account


@dataclass(frozen=True, slots=True)
class Unusable:
    """Nothing may be sent for a clinic: its work waits as it does for a paused key, and nothing of it fails.

    ``key`` is what it waits for, ``account`` whose it is; ``why`` is for the log and never holds key material. It is
    looked at again by itself after ``again``.
    """

    account: str
    key: str
    code: ErrorCode
    why: str
    again: timedelta = AGAIN


class OwnAccounts(Protocol):
    """Who has an account of its own. Nothing here costs a statement, nor a call of Vapi's."""

    def name_of(self, org_id: UUID) -> str | None:
        """What the clinic's own account is called; None: it has none."""
        ...

    async def of(self, org_id: UUID) -> Account | Unusable | None:
        """The clinic's own account; None: it has none, and is served with the platform's."""
        ...

    async def usable(self) -> Sequence[Account]:
        """Every account that some clinic has and that something may be sent to, each once by its name."""
        ...

    async def refresh(self) -> None:
        """Read what has changed since the last look."""
        ...

    async def wait_for(self, unusable: Unusable, now: datetime) -> datetime:
        """Let everybody know what work waits for; when to ask again. Time in which it waits counts against nobody."""
        ...


class _Nobodys:
    def name_of(self, org_id: UUID) -> str | None:
        return None

    async def of(self, org_id: UUID) -> Account | Unusable | None:
        return None

    async def usable(self) -> Sequence[Account]:
        return ()

    async def refresh(self) -> None:
        pass

    async def wait_for(self, unusable: Unusable, now: datetime) -> datetime:
        return now + AGAIN


NOBODYS_OWN: Final[OwnAccounts] = _Nobodys()
"""No clinic has an account of its own."""
