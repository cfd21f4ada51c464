"""A tool, and a rollout of one: versions, who has which, what stands in the way, and who has said what."""

import shlex
from collections.abc import AsyncIterator, Iterator

from pydantic_core import from_json

from tool_sync.admin.describing.page import CHANGES_SHOWN, Description, console_page
from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.log.codec import encode
from tool_sync.log.read import read_fleet
from tool_sync.queries.display_names import names_of
from tool_sync.queries.drift import left_drift
from tool_sync.queries.event_words import said
from tool_sync.queries.held import HeldCount
from tool_sync.queries.tool_settings import who
from tool_sync.rollouts.clinics import clinics_of
from tool_sync.rollouts.sheet import Sheet, sheet_of
from tool_sync.rollouts.stage_rows import stage_rows
from tool_sync.rollouts.status import RolloutStatus, newest_first, plans_of, state_text, status_of
from zerotouch_platform.times import utc

REFUSED_SHOWN = 5
ROLLOUTS_SHOWN = 5


async def describe_tool(connection: Connection, fleet: Fleet, name: str, console_url: str | None) -> Description:
    """One that was published."""
    sheet = sheet_of(fleet, await HeldCount().now(connection), name)
    orders = [order for order in newest_first(fleet) if order.tool == name][:ROLLOUTS_SHOWN]
    statuses = [await status_of(connection, fleet, order) for order in orders]
    tool = shlex.quote(name)
    return Description(
        "tool",
        name,
        (sheet.said, *_versions(sheet)),
        tuple([line async for line in _troubles(connection, fleet, sheet)]),
        tuple(line for one in statuses for line in _coming(one)),
        await _changes(connection, name, None),
        (
            console_page(console_url, f"/tools/{name}"),
            f"tool-sync blueprint show {tool}",
            *(f"tool-sync rollout status {one.rollout_id}" for one in statuses[:1]),
            f"tool-sync tail --tool {tool}",
        ),
    )


async def describe_rollout(
    connection: Connection, fleet: Fleet, rollout_id: str, console_url: str | None
) -> Description:
    """An order, or a plan that nobody has started."""
    order = fleet.order(rollout_id)
    if order is None:
        return await _plan(connection, fleet, rollout_id, console_url)
    one = await status_of(connection, fleet, order)
    target = "no version" if one.version is None else f"version {one.version}"
    return Description(
        "rollout",
        rollout_id,
        (
            f"gives clinics {target} of {one.tool}; started {utc(one.started_at)}: {one.reason}",
            f"it is {state_text(one)}",
            f"stage {one.stage} of {one.stages}, {one.stage_name}; {one.clinics:,} clinics are as ordered",
            *(f"stage {row.name}: {row.who}; next: {row.gate}; {row.state}" for row in stage_rows(order)),
        ),
        tuple([line async for line in _refused(connection, fleet, order, one)]),
        tuple(_coming(one)),
        await _changes(connection, one.tool, rollout_id),
        (
            console_page(console_url, f"/rollouts/{rollout_id}"),
            f"tool-sync rollout orgs {rollout_id} --state waiting",
            f"tool-sync rollout watch {rollout_id}",
            f"tool-sync describe {shlex.quote(one.tool)}",
        ),
    )


async def _plan(connection: Connection, fleet: Fleet, rollout_id: str, console_url: str | None) -> Description:
    plan = next(one for one in plans_of(fleet) if one.rollout_id == rollout_id)
    target = "no version" if plan.version is None else f"version {plan.version}"
    counts = plan.counts
    return Description(
        "plan",
        rollout_id,
        (
            f"would give clinics {target} of {plan.tool}; planned {utc(plan.planned_at)}, nothing was sent",
            f"{counts.update:,} are updated in place, {counts.add:,} get the tool, {counts.remove:,} lose it",
            f"{counts.already:,} have it already, {counts.left:,} are left as they are; {counts.calls:,} calls",
        ),
        (),
        ("nothing, until somebody starts it",),
        await _changes(connection, plan.tool, rollout_id),
        (
            console_page(console_url, f"/rollouts/{rollout_id}"),
            f"tool-sync rollout apply {rollout_id} --plan {plan.digest} --reason TEXT",
        ),
    )


def _versions(sheet: Sheet) -> Iterator[str]:
    shown = {one.version: one for one in sheet.tool.versions}
    for row in sheet.shown:
        one = shown.get(row.number)
        words = ["1 clinic has it" if row.clinics == 1 else f"{row.clinics:,} clinics have it"]
        if one is None:
            words.append("nobody publishes this number now")
        else:
            words.append(f"tier {one.tier}")
            words += ["withdrawn"] if one.withdrawn else []
            words += [] if one.answered else [f"its contract {one.contract} is not answered by every assistant-api"]
        yield f"version {row.number}: {', '.join(words)}"


async def _troubles(connection: Connection, fleet: Fleet, sheet: Sheet) -> AsyncIterator[str]:
    tool = sheet.tool
    if tool.halted is not None:
        yield f"it is halted: no caller has it. Why: {tool.halted}"
    ordered = next((one for one in tool.versions if one.version == tool.ordered), None)
    if ordered is not None and not ordered.answered:
        yield f"version {ordered.version} is ordered, and not every assistant-api answers its calls"
    if tool.drift == "report":
        for left in await left_drift(connection, [tool.name], None):
            yield f"{left.clinics:,} clinics have other words than were registered, which stays so: {tool.drift_reason}"
    order = fleet.open_order(tool.name)
    if order is not None:
        async for line in _refused(connection, fleet, order, await status_of(connection, fleet, order)):
            yield line


async def _refused(connection: Connection, fleet: Fleet, order: Order, one: RolloutStatus) -> AsyncIterator[str]:
    if one.state == "paused":
        yield f"rollout {one.rollout_id} is {state_text(one)}"
    if one.pinned:
        yield f"{one.pinned:,} clinics are pinned to another version"
    if not one.refused:
        return
    yield f"Vapi refuses it for {one.refused:,} clinics"
    page = await clinics_of(connection, fleet, order, state="refused", after=None, limit=REFUSED_SHOWN)
    names = await names_of(connection, [(clinic.org_id, None) for clinic in page.clinics])
    for clinic in page.clinics:
        yield f"{names[clinic.org_id, None]} ({clinic.org_id}): {clinic.code or clinic.why or 'refused'}"


def _coming(one: RolloutStatus) -> Iterator[str]:
    if one.waits is not None:
        yield f"rollout {one.rollout_id}: {one.waits}"
    elif one.state == "running":
        then = "it completes" if one.stage == one.stages else "the next stage opens"
        yield f"rollout {one.rollout_id}: {then} when every clinic of this stage is as ordered"
    if one.windows is not None:
        yield f"rollout {one.rollout_id}: {one.windows}"


async def _changes(connection: Connection, tool: str, rollout_id: str | None) -> tuple[str, ...]:
    """What was said of a tool, or of one rollout of it: the newest first, each with who said it."""
    lines = []
    for stored in reversed(await read_fleet(connection)):
        data = from_json(encode(stored.event).data)
        is_meant = data.get("rollout_id") == rollout_id if rollout_id else tool in (data.get("name"), data.get("tool"))
        if is_meant:
            by = who(stored.meta.actor)
            lines.append(f"{utc(stored.recorded_at)}  {said(type(stored.event).__name__, data)}, by {by}")
        if len(lines) == CHANGES_SHOWN:
            break
    return tuple(lines)
