"""Saves; then something is lost that was there; then saves go on. Who has lost it must neither repeat nor hide it."""

import uuid

from tests.checker.selftest import losing
from tests.checker.selftest.group import Group
from tests.checker.selftest.quiet import all_sent, becomes_quiet
from tests.checker.selftest.restore import REPLICA, backup, restore
from tests.checker.selftest.saving import save_again, saved

from devstack.databases import Service

REST_SECONDS_MAX = 30.0


async def log_restored(group: Group, org: str) -> None:
    """tool-sync's log is set back and forked; both clinics save again."""
    for each in await _set_back(group, org, "tool_sync"):
        await save_again(group, each)


async def api_restored(group: Group, org: str) -> None:
    """assistant-api's rows are set back; the agent that they lack is made again under its id."""
    kept, lost = await _set_back(group, org, "assistant_api")
    await save_again(group, kept)
    await saved(group, lost)


async def records_gone(group: Group, org: str) -> None:
    """Saves are deleted from their topic before tool-sync reads them."""
    await _unread(group, org, losing.deleted)


async def topic_made_again(group: Group, org: str) -> None:
    """The topic of saves is made again, with saves on it that tool-sync has not read."""
    await _unread(group, org, losing.made_again)


async def _set_back(group: Group, org: str, service: Service) -> tuple[str, str]:
    """The database goes back to before one clinic saved again and another for the first time: these two. A third
    one saves nothing more."""
    first, second, silent = org, await group.organization(), await group.organization()
    for each in (first, silent):
        await saved(group, each)
    assert await becomes_quiet(group, REST_SECONDS_MAX), "what is to be copied did not come to rest"
    copied = await backup(group, service)
    await save_again(group, first)
    await saved(group, second)
    assert await becomes_quiet(group, REST_SECONDS_MAX), "what is to be lost did not come to rest"
    await restore(group, service, copied)
    return first, second


async def _unread(group: Group, org: str, lose: losing.Loses) -> None:
    """What a known agent and a new one save while tool-sync is stopped is lost; then the known one saves again."""
    await saved(group, org)
    assert await becomes_quiet(group, REST_SECONDS_MAX), "the first save did not come to rest"
    await group.children[REPLICA["tool_sync"]].stop()
    await save_again(group, org)
    await group.save(org, f"unread-{org[:8]}", f"words that nobody reads {uuid.uuid4()}")
    assert await all_sent(group, REST_SECONDS_MAX), "the saves to be lost were not sent"
    await lose(group)
    await group.start("tool_sync", REPLICA["tool_sync"])
    await save_again(group, org)
