"""Broken rules of clinics' own words: which are sent, by what a lost write is judged, what a setting leaves behind."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

from tool_sync.domain import tool_setting, wanted
from tool_sync.domain.events import ToolSettingRemoved, ToolTextLost
from tool_sync.domain.overlay import overlay_of
from tool_sync.domain.plan import tools as plan_tools
from tool_sync.sync import write_guard
from tool_sync.vapi.client import VapiClient

from . import words

# The packages export functions of these names; these are the modules that they are in.
org: Any = import_module("tool_sync.domain.evolve.org")
resolve: Any = import_module("tool_sync.sync.effects.resolve")
settings: Any = import_module("tool_sync.intake.tool_settings")


@contextmanager
def words_go_with_any_version() -> Iterator[None]:
    """Whatever a version leaves open."""
    with patch.object(wanted, "overlay_of", lambda _version, custom: tuple(custom)):
        yield


@contextmanager
def a_suffix_always_fits() -> Iterator[None]:
    """However long the description is."""
    with patch.object(
        wanted, "overlay_of", lambda version, custom: overlay_of(version, (replace(p, characters=1) for p in custom))
    ):
        yield


@contextmanager
def other_words_are_no_change() -> Iterator[None]:
    """A tool is as wanted where its version is."""
    is_current = plan_tools.is_current

    def mutated(state: Any, tool: Any) -> bool:
        return is_current(replace(state, overlays={tool.name: tool.overlay} if tool.overlay else {}), tool)

    with patch.object(plan_tools, "is_current", mutated):
        yield


@contextmanager
def a_lost_write_is_judged_by_the_words_of_now() -> Iterator[None]:
    """And not by those that were announced."""
    read_tool = resolve._read_tool

    async def mutated(guard: Any, org_id: Any, step: Any, started: Any) -> Any:
        now = guard.state.custom.get(started.name, ())
        return await read_tool(guard, org_id, step, replace(started, overlay=now))

    with patch.object(resolve, "_read_tool", mutated):
        yield


@contextmanager
def a_lost_write_is_judged_by_its_version_alone() -> Iterator[None]:
    """Whatever the tool says beside it."""
    with patch.object(resolve, "holds_tool", lambda stored, sent: stored["parameters"][1] == sent["parameters"][1]):
        yield


@contextmanager
def words_outlive_their_setting() -> Iterator[None]:
    """A setting is deleted, and its words stay."""
    org_wide = org._org_wide

    def mutated(state: Any, position: int, event: Any) -> Any:
        found = org_wide(state, position, event)
        return {**found, "custom": state.custom} if isinstance(event, ToolSettingRemoved) else found

    with patch.object(org, "_org_wide", mutated):
        yield


@contextmanager
def off_and_on_forgets_the_words() -> Iterator[None]:
    """Who says nothing of the words takes them away."""
    decide = tool_setting.decide_setting

    def mutated(basis: Any, tool: str, wish: Any) -> Any:
        return decide(basis, tool, replace(wish, custom=wish.custom or ()))

    with patch.object(settings, "decide_setting", mutated):
        yield


@contextmanager
def words_are_told_before_they_are_stored() -> Iterator[None]:
    """The event first, and then the texts."""
    set_tool = settings.set_tool

    async def mutated(log: Any, read: Any, org_id: Any, tool: str, wish: Any, wisher: Any, keep: Any = None) -> Any:
        answer = await set_tool(log, read, org_id, tool, wish, wisher, None)
        if keep is not None:
            await keep()
        return answer

    with patch.object(words, "set_tool", mutated):
        yield


@contextmanager
def messages_of_before_stay() -> Iterator[None]:
    """A version without messages leaves those of the words that are gone."""
    update = VapiClient.update_tool

    async def mutated(self: VapiClient, tool_id: str, payload: Any) -> Any:
        return await update(self, tool_id, {key: value for key, value in payload.items() if value != []})

    with patch.object(VapiClient, "update_tool", mutated):
        yield


@contextmanager
def what_is_set_again_is_lost() -> Iterator[None]:
    """Whoever found words to be lost, and was slow to say so, takes away what was set again meanwhile."""
    with patch.object(write_guard, "ToolTextLost", lambda name, hashes, _set_at: ToolTextLost(name, hashes)):
        yield


WORDS: tuple[Callable[[], AbstractContextManager[object]], ...] = (
    words_go_with_any_version,
    a_suffix_always_fits,
    other_words_are_no_change,
    a_lost_write_is_judged_by_the_words_of_now,
    a_lost_write_is_judged_by_its_version_alone,
    words_outlive_their_setting,
    off_and_on_forgets_the_words,
    words_are_told_before_they_are_stored,
    messages_of_before_stay,
    what_is_set_again_is_lost,
)
