"""How a step against Vapi failed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

AttemptEnd = Literal["not_sent", "refused", "unknown", "absent"]
"""How an attempt failed. ``not_sent``: nothing left this process; ``refused``: Vapi answered that it did not do it;
``unknown``: it may have happened, so the attempt stays open until the settle time; ``absent``: looked after the settle
time, and it had not happened."""


@dataclass(frozen=True, slots=True)
class SyncAttemptFailed:
    """A step failed. ``subject`` is ``tool:<name>``, ``agent:<id>``, ``surplus:<tool id>``, ``sweep`` or ``search``.

    The next try is due at ``retry_at``.

    ``failures`` counts in a row; ``retry_at`` is null where only a new save, another definition or an operator helps.
    ``attempt_id`` is null where a read failed, which needs no attempt. Not ``counted``: the key was paused by it, or
    nothing was tried; it only says what became of the attempt, and the subject is as it was before.
    """

    subject: str
    attempt_id: UUID | None
    end: AttemptEnd
    code: str
    failures: int
    retry_at: datetime | None
    definition_hash: str | None = None
    counted: bool = True
    assistant_id: str | None = None
    """The assistant that a look was about; its agent may have another one by now."""
