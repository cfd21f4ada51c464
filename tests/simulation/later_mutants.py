"""Broken protocols that came later: what a caller meets, whose an assistant is, two releases, operators, restores."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

from tool_sync.domain import events as e
from tool_sync.domain import evolve as evolving
from tool_sync.domain import reach
from tool_sync.domain.plan import assistants, tools
from tool_sync.domain.wanted import wanted_of
from tool_sync.sync.context import Context

from . import clinic, database, topic

# The package exports functions of these names; these are the modules that they are in.
link: Any = import_module("tool_sync.sync.effects.link")
org: Any = import_module("tool_sync.domain.evolve.org")
register: Any = import_module("tool_sync.sync.effects.register")
resolve: Any = import_module("tool_sync.sync.effects.resolve")


@contextmanager
def lifts_what_is_unknown() -> Iterator[None]:
    """An operator's retry also lifts the due time of a write whose answer is unknown, and so the writes themselves."""
    changes = evolving._changes

    def mutated(state: Any, recorded: Any) -> Any:
        found = changes(state, recorded)
        if isinstance(recorded.event, e.RetryRequested):
            return {**found, "failures": {}, "attempts": {}}
        return found

    with patch.object(evolving, "_changes", mutated):
        yield


@contextmanager
def relinks_the_first_20_foreign_ids() -> Iterator[None]:
    """Takes a list of links for one of at most 20."""
    relinked = link.relinked

    def mutated(model: dict[str, Any], *arguments: Any) -> Any:
        tool_ids = relinked(model, *arguments)
        if tool_ids is None:
            return None
        foreign = [one for one in tool_ids if not str(one).startswith("tool-")]
        return [one for one in tool_ids if one not in foreign[20:]]

    with patch.object(link, "relinked", mutated):
        yield


@contextmanager
def keeps_a_tool_of_another_clinic() -> Iterator[None]:
    """Links beside what another clinic has left in an assistant."""
    with patch.object(link, "to_take_out", lambda *_: ()):
        yield


@contextmanager
def links_what_belongs_to_another() -> Iterator[None]:
    """Believes a save, and not the assistant's own mark."""
    with patch.object(link, "belongs_to_another", lambda *_: False):
        yield


@contextmanager
def does_not_look_for_twins() -> Iterator[None]:
    """Says synced though another tool has the same name."""
    with patch.object(reach, "_shadows", lambda *_: ()):
        yield


@contextmanager
def does_not_read_server_messages() -> Iterator[None]:
    """Says synced though Vapi sends no call of a tool."""
    with patch.object(reach, "_sends_tool_calls", lambda _document: True):
        yield


@contextmanager
def passes_over_dangling_ids() -> Iterator[None]:
    """Says synced though the assistant names a tool that does not exist."""
    obstacles_of = reach.obstacles_of

    def mutated(*arguments: Any, **named: Any) -> Any:
        found = obstacles_of(*arguments, **named)
        return tuple(one for one in found if one.code != reach.DANGLING_CODE)

    with patch.object(link, "obstacles_of", mutated):
        yield


@contextmanager
def judges_by_its_own_definition() -> Iterator[None]:
    """Compares what became of a lost update with what is wanted by now, not with what was sent."""
    read_tool = resolve._read_tool

    async def mutated(guard_: Any, org_id: Any, step: Any, started: Any) -> Any:
        tools = wanted_of(guard_.state, guard_.fleet, org_id, guard_.context.clock.now()).tools
        by_now = next((tool.definition_hash for tool in tools if tool.name == started.name), started.definition_hash)
        return await read_tool(guard_, org_id, step, replace(started, definition_hash=by_now))

    with patch.object(resolve, "_read_tool", mutated):
        yield


@contextmanager
def leaves_edited_tools() -> Iterator[None]:
    """Is told that somebody has changed a tool at Vapi, and calls it as wanted."""

    def mutated(state: Any, tool: Any) -> bool:
        return tools.is_current(state.tools.get(tool.name), tool)

    with patch.object(tools, "is_as_wanted", mutated), patch.object(assistants, "is_as_wanted", mutated):
        yield


@contextmanager
def leaves_edited_assistants() -> Iterator[None]:
    """Is told that somebody has changed an assistant at Vapi, and does not look at it."""
    changes = org.changes

    def mutated(state: Any, recorded: Any, event: Any) -> Any:
        found = changes(state, recorded, event)
        return {**found, "looks": state.looks} if isinstance(event, e.AssistantDriftSeen) else found

    with patch.object(org, "changes", mutated):
        yield


@contextmanager
def ends_the_new_life_with_the_old_one() -> Iterator[None]:
    """The removal of an agent holds for the agent that is made anew under its id."""
    fold = database.Database._fold_assistant

    def mutated(self: Any, event: Any, org_id: Any) -> None:
        if isinstance(event, e.AssistantRemoved):
            event = replace(event, assistant_id=None, revision=None)
        before = self.assistants.get(org_id, {}).get(getattr(event, "agent_id", None))
        fold(self, event, org_id)
        if before is not None and before.removed:
            rows = self.assistants[org_id]
            rows[before.agent_id] = replace(rows[before.agent_id], removed=True)

    with patch.object(database.Database, "_fold_assistant", mutated):
        yield


@contextmanager
def adopts_without_waiting() -> Iterator[None]:
    """assistant-api writes to an assistant that another agent has just left, before what was its is out of it."""
    with patch.object(clinic.Clinic, "is_being_released", lambda *_: False):
        yield


@contextmanager
def releases_nothing() -> Iterator[None]:
    """assistant-api forgets an assistant that its agent has left."""

    async def mutated(self: Any, row: Any) -> None:
        self.leaving.remove(row)

    with patch.object(clinic.Clinic, "release", mutated):
        yield


@contextmanager
def makes_a_tool_without_looking() -> Iterator[None]:
    """After a restore a clinic that lacks its tool gets one, whatever Vapi has."""

    async def nothing(*_: Any) -> None:
        return None

    with patch.object(register, "adopt", nothing):
        yield


@contextmanager
def does_not_read_again() -> Iterator[None]:
    """tool-sync is started on the restored log with the consumer group that it had."""

    async def mutated(self: Any) -> None:
        self.is_read = True

    with patch.object(topic.Topic, "read_again", mutated):
        yield


@contextmanager
def looks_in_its_own_time() -> Iterator[None]:
    """A lost creation is looked for by our clock, whatever Vapi's shows."""
    with patch.object(Context, "vapi_time_before", lambda _self, at: at):
        yield


LATER: tuple[Callable[[], AbstractContextManager[object]], ...] = (
    lifts_what_is_unknown,
    relinks_the_first_20_foreign_ids,
    keeps_a_tool_of_another_clinic,
    links_what_belongs_to_another,
    does_not_look_for_twins,
    does_not_read_server_messages,
    passes_over_dangling_ids,
    judges_by_its_own_definition,
    leaves_edited_tools,
    leaves_edited_assistants,
    ends_the_new_life_with_the_old_one,
    adopts_without_waiting,
    releases_nothing,
    makes_a_tool_without_looking,
    does_not_read_again,
    looks_in_its_own_time,
)
