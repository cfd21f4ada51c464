"""A clinic: what it is to have and has, how each assistant stands, what waits, and what was changed by whom."""

from collections.abc import Iterator
from dataclasses import replace

from tool_sync.admin.describing.page import CHANGES_SHOWN, Description, console_page, paused_lines
from tool_sync.db import Connection
from tool_sync.log.read import POSITION_MAX
from tool_sync.queries import changes, tool_pins
from tool_sync.queries.as_of import StateAsOf
from tool_sync.queries.clinic_shown import ClinicShown, ToolRow, clinic_of
from tool_sync.queries.tool_calls import booked_lines
from tool_sync.queries.tool_settings import said
from tool_sync.queries.waiting import Waits, waits_of
from zerotouch_platform.times import utc

WAITS_SHOWN = 20


async def describe_clinic(
    connection: Connection, moment: StateAsOf, console_url: str | None, *, with_names: bool = True
) -> Description:
    """As of now. Without names it and its assistants are called by their ids."""
    clinic = await clinic_of(connection, moment, "", POSITION_MAX)
    waits = await waits_of(connection, WAITS_SHOWN, moment.org_id)
    if not with_names:
        clinic = _without_names(clinic)
    return Description(
        "clinic",
        clinic.name,
        tuple(_what(clinic)),
        (*paused_lines(moment.paused), *_wrong(clinic)),
        tuple(_next(clinic, waits)),
        tuple(f"{utc(one.at)}  {one.tool} {changes.said(one)}" for one in clinic.changes[:CHANGES_SHOWN]),
        (
            console_page(console_url, f"/orgs/{clinic.org_id}"),
            f"tool-sync coverage {clinic.org_id}",
            f"tool-sync history {clinic.org_id}",
            f"tool-sync tail --org {clinic.org_id}",
            f"tool-sync check {clinic.org_id} --live",
            f"tool-sync support-bundle {clinic.org_id}",
        ),
    )


def _without_names(clinic: ClinicShown) -> ClinicShown:
    shown = tuple((one.agent_id, one) for _, one in clinic.assistants.shown)
    return replace(clinic, name=str(clinic.org_id), assistants=replace(clinic.assistants, shown=shown))


def _what(clinic: ClinicShown) -> Iterator[str]:
    deleted = ", deleted" if clinic.is_closed else ""
    yield f"clinic {clinic.org_id}, tier {clinic.tier}{deleted}"
    coverage = clinic.coverage
    yield f"{coverage.equipped:,} of {coverage.assistants:,} assistants that should book can"
    if coverage.without_tools:
        yield f"{coverage.without_tools:,} more have no tools, because none is wanted"
    yield from booked_lines(clinic.assistants.calls)
    for tool in clinic.tools:
        if tool.wanted is not None or tool.present is not None or tool.is_off:
            yield from _tool(tool)
    yield from (f"{pin.tool_name} is {tool_pins.said(pin)}" for pin in clinic.pins)
    if clinic.window is not None and clinic.window.window is not None:
        window, zone = clinic.window.window, clinic.window.time_zone
        yield f"orders change its tools from {window.opens} to {window.closes} ({zone}) only"


def _tool(tool: ToolRow) -> Iterator[str]:
    wanted = "as it is" if tool.keeps else "no version" if tool.wanted is None else f"version {tool.wanted}"
    has = "none" if tool.present is None else f"version {tool.present} ({tool.vapi_tool_id})"
    yield f"{tool.name}: wanted {wanted}, {tool.why}; at Vapi {has}"
    if tool.leaves_at is not None:
        yield f"{tool.name} is deleted at Vapi after {utc(tool.leaves_at)}"
    if tool.setting is not None:
        yield f"{tool.name}: {said(tool.setting)}"
    yield from (f"{tool.name}: {note}" for note in tool.notes)


def _wrong(clinic: ClinicShown) -> Iterator[str]:
    for name, one in clinic.assistants.shown:
        if one.state in ("cannot", "waits", "none"):
            called = name if name == one.agent_id else f"{name} ({one.agent_id})"
            yield f"{called} {one.sentence}" + (f" [{one.code}]" if one.code else "")
    if clinic.assistants.next_after is not None:
        yield f"there are more assistants: tool-sync coverage {clinic.org_id}"


def _next(clinic: ClinicShown, waits: list[Waits]) -> Iterator[str]:
    for name, one in clinic.assistants.shown:
        if one.next:
            yield f"{name}: " + (f"{one.who_acts}: " if one.who_acts else "") + one.next
    for save in waits:
        yield f"a save of {save.agent_id or 'the whole clinic'} waits since {utc(save.since)} for {save.waits_for}"
