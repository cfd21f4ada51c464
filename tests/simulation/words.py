"""Clinics that word their tools and switch them off and on, as ``PUT`` and ``DELETE …/settings`` of tool-sync do.

    clinic ──► problems of the words ──► [ read ► decide ► keep the texts ► append ] ──► answer
    each request is a process of its own, and whoever gets no answer asks again

The rules are the service's own, from the check of the words to the append; the tables are simulated.
"""

import asyncio
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.domain.tool_setting import SettingBasis, SettingWish
from tool_sync.domain.wanted import version_given
from tool_sync.intake.tool_settings import set_tool
from tool_sync.intake.wishes import Wisher, WishStored
from tool_sync.log import LogUnavailable, org_stream
from tool_sync.publishing.custom_config import config_problems, parts_of
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.publishing.overlay import part_of

from .checks import Checks
from .clinic import Clinic
from .database import Database, time_of
from .lives import Lives
from .log import SimLog
from .rest import Rest
from .wording import SETTINGS, Wording

AGAIN_SECONDS: Final = 1.0


@dataclass(slots=True)
class Words:
    """``PUT`` and ``DELETE``; and a table of texts that is lost."""

    database: Database
    log: SimLog
    clinic: Clinic
    rest: Rest
    lives: Lives
    checks: Checks
    wording: Wording

    async def put(self, org_id: UUID, tool: str, config: Mapping[str, Any] | None, *, enabled: bool = True) -> None:
        """The words of the config and no others, or None: those that are set; until that is answered."""
        await self._ask(org_id, tool, config, enabled=enabled)

    async def delete(self, org_id: UUID, tool: str) -> None:
        """As the tool's version says."""
        await self._ask(org_id, tool, None, enabled=None)

    def lose(self, org_id: UUID) -> None:
        """A log was restored without the clinic's texts."""
        self.wording.lost |= {(org_id, one) for one in self.database.texts.pop(org_id, {})}

    async def _ask(self, org_id: UUID, tool: str, config: Mapping[str, Any] | None, *, enabled: bool | None) -> None:
        answers: list[str] = []
        while not answers:
            await self.lives.live(f"settings {org_id}", self._answer(answers, org_id, tool, config, enabled))
            if not answers:
                await asyncio.sleep(AGAIN_SECONDS)
        self.checks.reached[f"words {answers[0]}"] += 1

    async def _answer(
        self, answers: list[str], org_id: UUID, tool: str, config: Mapping[str, Any] | None, enabled: bool | None
    ) -> None:
        await self.log.on_the_way()
        parts = {} if config is None else parts_of(config)
        if parts and (problems := self._problems(org_id, tool, config or {})):
            answers.append(f"refused: {problems[0].where}")
            return
        words = {part_of(org_id, part, text): text for part, text in parts.items()}
        for part, text in words.items():
            self.wording.enter(org_id, part.hash, text)
        wish = SettingWish(enabled, "because", None, None if config is None else tuple(words))
        texts = {part.hash: text for part, text in words.items()}

        async def read() -> tuple[int, SettingBasis]:
            return await self._basis(org_id, tool)

        async def keep() -> bool:
            return await self._keep(org_id, texts)

        log: Any = self.log
        try:
            written = await set_tool(log, read, org_id, tool, wish, Wisher("org:clinic"), keep if texts else None)
        except (LogUnavailable, ConnectionError):
            return
        answers.append(type(written).__name__)
        if config is None and enabled is not None and isinstance(written, WishStored):
            self._are_kept(org_id, tool, written.position)

    def _are_kept(self, org_id: UUID, tool: str, position: int) -> None:
        """Who says nothing of the words leaves them as they were."""
        before, after = (self.wording.newest(org_id, tool, place) for place in (position - 1, position))
        if set(before) != set(after):
            now = asyncio.get_running_loop().time()
            self.checks.violated(now, f"{org_id} had the words {before}, and {after} after switching off or on")

    def _problems(self, org_id: UUID, tool: str, config: Mapping[str, Any]) -> list[Any]:
        fleet, now = with_events(empty_fleet(), self.database.fleet), time_of(asyncio.get_running_loop().time())
        return config_problems(config, version_given(self.rest.state_of(org_id), fleet, org_id, tool, now))

    async def _basis(self, org_id: UUID, tool: str) -> tuple[int, SettingBasis]:
        """See `tool_sync.intake.tool_settings.setting_basis`."""
        await self.log.on_the_way()
        version = self.database.versions.get(org_stream(org_id), 0)
        await self.log.on_the_way()
        events = [
            stored for stored in self.database.by_org.get(org_id, ()) if getattr(stored.event, "name", "") == tool
        ]
        settings = [stored for stored in events if isinstance(stored.event, SETTINGS)]
        newest = settings[-1] if settings else None
        event: Any = None if newest is None else newest.event
        position = 0 if newest is None else newest.position
        is_set = event is not None and not isinstance(event, e.ToolSettingRemoved)
        parts = event.parts if isinstance(event, e.ToolCustomized) else ()
        given_up = {
            one
            for stored in events
            if isinstance(stored.event, e.ToolTextLost) and stored.event.set_at == position
            for one in stored.event.hashes
        }
        there = [
            part for part in parts if part.hash in self.database.texts.get(org_id, {}) and part.hash not in given_up
        ]
        fleet = with_events(empty_fleet(), self.database.fleet)
        return version, SettingBasis(
            org_id in self.database.by_org,
            org_id in self.clinic.closed,
            fleet.names,
            event.enabled if is_set else None,
            None if event is None else event.reason,
            position,
            tuple(there),
            len(there) < len(parts),
        )

    async def _keep(self, org_id: UUID, texts: Mapping[str, Any]) -> bool:
        """See `tool_sync.intake.tool_settings.keep_texts`."""
        await self.log.on_the_way()
        is_open = org_id in self.database.by_org and org_id not in self.clinic.closed
        if is_open:
            stored = self.database.texts.setdefault(org_id, {})
            stored |= {one: deepcopy(text) for one, text in texts.items() if one not in stored}
        await self.log.on_the_way()
        return is_open
