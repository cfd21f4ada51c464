"""What happens next, and when; and the one place that decides whether anything may be called as wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tool_sync.db import Connection
from zerotouch_contracts.errors import entry_of

if TYPE_CHECKING:
    from tool_sync.vapi.rate_limit import PausedKey

AS_WANTED: Final = "nothing: it is as wanted"
BY_SAVE: Final = "nothing until the next save, or a sync of all assistants (POST /api/assistants/auto-sync)"
BY_ORDER: Final = "an order gives it: tool-sync brings it within seconds, as fast as the key of Vapi allows"
BY_WINDOW: Final = "an order changes it when the clinic's change window opens"
BY_PAUSE: Final = "nothing is sent to Vapi until the pause of its key ends; then one call tries the key"
FINAL: Final = "nothing until a save, a new definition or an operator changes something"

_LEASE: Final = """
SELECT l.until > clock_timestamp() AS at_work, l.next_due,
       EXISTS (SELECT FROM pending_syncs p WHERE p.org_id = $1 AND p.requested > p.settled
                  AND ($2::text IS NULL OR p.agent_id IN ('', $2))
                  AND p.requested > coalesce(l.processed_position, 0)) AS is_waiting,
       clock_timestamp() AS now
  FROM (SELECT $1::uuid AS org_id) o LEFT JOIN leases l USING (org_id)
"""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not as wanted. Where there is a code, the catalogue says who acts and what to do."""

    what: str
    code: str | None = None
    who_acts: str | None = None
    what_to_do: str | None = None

    @classmethod
    def of(cls, what: str, code: str | None = None) -> "Reason":
        """With what the catalogue says of the code."""
        entry = entry_of(code)
        return cls(what, code, entry.who_acts, entry.what_to_do) if entry else cls(what, code)


@dataclass(frozen=True, slots=True)
class NextAction:
    """``at`` is when; null where it is now, or where nothing is planned. ``reasons``: why it is not as wanted."""

    next: str
    at: datetime | None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """Where an org's work stands: ``at_work`` now, ``is_waiting`` for a worker, due again at ``next_due``."""

    at_work: bool
    is_waiting: bool
    next_due: datetime | None
    now: datetime
    paused: tuple["PausedKey", ...] = ()


async def work_of(
    connection: Connection, org_id: UUID, paused: tuple["PausedKey", ...], agent_id: str | None = None
) -> Work:
    """Where the org's work stands now; with ``agent_id``, what waits is of that agent or of the whole org."""
    (row,) = await connection.fetch(_LEASE, org_id, agent_id)
    return Work(bool(row["at_work"]), row["is_waiting"], row["next_due"], row["now"], paused)


def next_action_of(
    work: Work,
    *,
    reasons: Sequence[Reason],
    retry_at: datetime | None,
    is_open: bool,
    is_unknown: bool,
    is_final: bool,
    delete_at: datetime | None = None,
    none_wanted: str | None = None,
    gone: str | None = None,
    is_ordered: bool = False,
    opens_at: datetime | None = None,
) -> NextAction:
    """The next thing that happens to a subject that may have an unanswered attempt, a due time or an open wish.

    Only here anything is called as wanted: where ``reasons`` is empty, no key is paused, something is wanted and it is
    still there. ``delete_at``: it is a tool that is not wanted any more and goes then. ``none_wanted``: the code that
    says why nothing is wanted. ``gone``: why there is nothing left to bring about. ``is_ordered``: it comes without
    anybody's doing. ``opens_at``: it is as the clinic keeps it until its change window opens then.
    """
    found = (*(_of_key(key) for key in work.paused if reasons or key.who_acts != "nobody"), *reasons)
    if opens_at is not None and not (reasons or work.at_work or is_unknown):
        return NextAction(BY_WINDOW, opens_at, found)
    if gone is not None and not reasons:
        return NextAction(gone, None)
    if work.paused and found:
        return NextAction(BY_PAUSE, work.paused[0].until, found)
    if work.at_work:
        return NextAction("a worker is processing it now", None, found)
    if is_unknown:
        return NextAction("tool-sync asks Vapi about the write whose answer was lost", work.next_due, found)
    if retry_at is not None and retry_at > work.now:
        return NextAction("it is retried", retry_at, found)
    if is_final:
        return NextAction(FINAL, None, found)
    if delete_at is not None:
        return NextAction("it is deleted at Vapi, if no assistant links it by then", max(delete_at, work.now), found)
    if work.is_waiting or is_open or retry_at is not None:
        return NextAction("the next free worker takes it", work.next_due, found)
    if found:
        return NextAction(BY_ORDER if is_ordered else BY_SAVE, None, found)
    if none_wanted is not None:
        reason = Reason.of("no tool is wanted, so it has none and takes no bookings", none_wanted)
        return NextAction("nothing: no tool is wanted", None, (reason,))
    return NextAction(AS_WANTED, None)


def _of_key(key: "PausedKey") -> Reason:
    since = f" since {key.since:%Y-%m-%d %H:%M:%S} UTC" if key.since else ""
    return Reason(f"Vapi's key{key.whose} is paused{since}: {key.title}", key.code, key.who_acts, key.what_to_do)
