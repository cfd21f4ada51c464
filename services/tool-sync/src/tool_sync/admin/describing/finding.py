"""What somebody means by a word: a clinic, an assistant, a tool or a rollout; or several of these."""

from datetime import datetime
from uuid import UUID

from tool_sync.admin.describing.assistant import describe_assistant
from tool_sync.admin.describing.clinic import describe_clinic
from tool_sync.admin.describing.fleet import describe_rollout, describe_tool
from tool_sync.admin.describing.page import Description
from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet
from tool_sync.queries.as_of import StateAsOf, fleet_of, state_as_of
from tool_sync.queries.assistants import find_assistants
from tool_sync.queries.organizations import is_known
from tool_sync.rollouts.finding import UnknownRollout, find_rollout
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_contracts.text import uuid_of


class OnlyNow(Exception):
    """A time was named for something that is only known as of now."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"a {kind} is described as it is now; --at is for an assistant")


async def describe(
    connection: Connection, word: str, at: datetime | None, console_url: str | None, jaeger_url: str | None
) -> tuple[Description, ...]:
    """Everything that has this name or id; empty where nothing has. Raises :class:`OnlyNow`, `UnknownRollout` where a
    beginning means several rollouts, and `BeforeFirstEvent`."""
    fleet = await fleet_of(connection)
    clinic = uuid_of(word)
    if clinic is not None and not await is_known(connection, clinic):
        clinic = None
    agents = await find_assistants(connection, word)
    is_tool = word in fleet.names
    # A beginning is enough for a rollout alone, and only where nothing else is meant.
    rollout = None if clinic or agents or is_tool else _rollout(fleet, word)
    if at is not None and not agents and (clinic or is_tool or rollout):
        raise OnlyNow("clinic" if clinic else "tool" if is_tool else "rollout")
    found: list[Description] = []
    if clinic is not None and at is None:
        found.append(await describe_clinic(connection, await _moment(connection, clinic, None), console_url))
    if is_tool and at is None:
        found.append(await describe_tool(connection, fleet, word, console_url))
    if rollout is not None:
        found.append(await describe_rollout(connection, fleet, rollout, console_url))
    for org_id, agent_id in agents:
        moment = await _moment(connection, org_id, at)
        found.append(await describe_assistant(connection, moment, agent_id, console_url, jaeger_url))
    return tuple(found)


async def _moment(connection: Connection, org_id: UUID, at: datetime | None) -> StateAsOf:
    fleet, paused = await fleet_of(connection, at), await paused_keys(connection)
    return await state_as_of(connection, org_id, fleet, at, paused if at is None else ())


def _rollout(fleet: Fleet, word: str) -> str | None:
    """The id that begins so; None where there is none."""
    try:
        return find_rollout(fleet, word)
    except UnknownRollout as unknown:
        if unknown.meant:
            raise
        return None
