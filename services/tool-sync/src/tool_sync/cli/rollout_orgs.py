"""``tool-sync rollout orgs | retry``: a rollout's clinics, what each waits for, and trying those again that failed."""

from collections.abc import Iterator
from uuid import UUID

from tool_sync.admin.operator import ACTOR
from tool_sync.cli.connected import log_of
from tool_sync.cli.output import called, entry, print_line, show, utc
from tool_sync.cli.rollout_apply import unless_refused
from tool_sync.cli.rollout_show import order_of
from tool_sync.db import Connection
from tool_sync.domain.fleet.progress import ClinicState
from tool_sync.queries.as_of import fleet_of
from tool_sync.queries.display_names import Names, names_of
from tool_sync.rollouts.clinics import OrderedClinic, clinics_of, retry_clinics
from tool_sync.rollouts.turns import waits


async def show_orgs(
    connection: Connection, text: str, state: ClinicState | None, after: UUID | None, limit: int, *, as_json: bool
) -> None:
    """Print them, by id."""
    fleet = await fleet_of(connection)
    order = order_of(fleet, text)
    found: list[OrderedClinic] = []
    while True:
        page = await clinics_of(connection, fleet, order, state=state, after=after, limit=limit - len(found))
        found += page.clinics
        after = page.next_after
        if after is None or len(found) >= limit:
            break
    document = {"rollout_id": order.rollout_id, "clinics": found, "next_after": after}
    names = await names_of(connection, [(one.org_id, None) for one in found])
    show("rollout orgs", document, _lines(found, names, after), as_json=as_json, complete=after is None)


def _lines(found: list[OrderedClinic], names: Names, after: UUID | None) -> Iterator[str]:
    for one in found:
        fields = (
            ("state", one.state),
            ("why", one.why),
            ("newest try", one.code),
            ("tried again by itself", utc(one.retry_at)),
            ("Vapi said", one.words),
        )
        yield from entry(f"organization {called(one.org_id, names[one.org_id, None])}", fields)
    yield f"{len(found):,} clinic(s)"
    if after is not None:
        yield f"there may be more: --after {after} shows them"


async def retry_orgs(connection: Connection, database_url: str, text: str, org_id: UUID | None, reason: str) -> None:
    """Ask for them to be tried again."""
    fleet = await fleet_of(connection)
    order = order_of(fleet, text)
    async with log_of(database_url) as log:
        asked = await retry_clinics(connection, log, fleet, order, org_id=org_id, reason=reason, actor=ACTOR)
    done = unless_refused(asked)
    print_line(f"retrying {done.clinics:,} clinic(s) of rollout {order.rollout_id}")
    waiting = fleet.open_order(order.tool)
    if waiting is not None and (why := await waits(connection, order.tool)) is not None:
        print_line(f"rollout {waiting.rollout_id} waits: {why}")
