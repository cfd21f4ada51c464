"""Another version of the booking tool is published and given to one clinic, and then to all: but for one that is pinned
until a time, and one whose change window is closed.

The clinic that goes first has a window, too, which is open. The closed one stays closed: at rest its clinic has what it
had.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.checker.selftest.group import Group
from tests.checker.selftest.quiet import becomes_quiet
from tests.support.eventually import eventually, until

from devstack import services

TOOL: Final = "bookClinicAppointment"
COMMAND_SECONDS_MAX: Final = 60.0
CLINICS: Final = 4
PINNED_SECONDS: Final = (1.5, 5.0, 20.0)
"""From the request on. It has to be read by then, or it is refused, and the next is tried."""
REFUSED: Final = 422
AWAY_HOURS: Final = 3
_PLAN: Final = "SELECT data ->> 'rollout_id' FROM events WHERE type = 'RolloutPlanned' ORDER BY position DESC LIMIT 1"
_COMPLETED: Final = "SELECT count(*) FROM events WHERE type = 'RolloutCompleted' AND stream = $1"
_VERSION: Final = """
SELECT max((data ->> 'version')::int) FROM events WHERE type = 'BlueprintPublished' AND data ->> 'name' = $1
"""
_HAVE: Final = """
SELECT org_id::text AS org, definition_version AS version FROM org_tools
 WHERE tool_name = $1 AND enabled ORDER BY org_id LIMIT 3
"""
_HAS_IT: Final = "SELECT count(*) FROM org_tools WHERE tool_name = $1 AND org_id = $2 AND definition_version = $3"


async def shipped(group: Group, _org: str) -> None:
    """A person publishes, plans and applies; a wrong service may never complete it."""
    await becomes_quiet(group, COMMAND_SECONDS_MAX)
    log, file, stages = group.database["tool_sync"], group.folder / "tool.toml", group.folder / "stages.toml"
    pilot, pinned, shut = [dict(row) for row in await log.fetch(_HAVE, TOOL)]
    file.write_text(f'name = "{TOOL}"\ncontract = 2\ndescription = "Books. {uuid.uuid4()}"\n')
    stages.write_text(
        f'[[stage]]\nname = "pilot"\norgs = ["{pilot["org"]}"]\n\n[[stage]]\nname = "all"\npercent = 100\n'
    )
    await _keep_to(group, pilot, -1)
    await _keep_to(group, shut, AWAY_HOURS)
    await _pin(group, pinned, 3600.0)
    await _type(group, "blueprint", "publish", str(file), "--reason", "a test")
    version = await log.fetchval(_VERSION, TOOL)
    await _type(group, "rollout", "plan", f"{TOOL}@{version}", "--stages", str(stages))
    rollout_id = await log.fetchval(_PLAN)
    await _type(group, "rollout", "apply", rollout_id, "--reason", "a text")

    async def is_complete() -> bool:
        return bool(await log.fetchval(_COMPLETED, f"rollout-{rollout_id}"))

    async def has_moved() -> bool:
        return bool(await log.fetchval(_HAS_IT, TOOL, uuid.UUID(pinned["org"]), version))

    await until(is_complete, COMMAND_SECONDS_MAX)
    for seconds in PINNED_SECONDS:
        if await _pin(group, pinned, seconds) != REFUSED:
            break
    await until(has_moved, COMMAND_SECONDS_MAX)


async def _keep_to(group: Group, clinic: Mapping[str, Any], begin: int) -> None:
    """Two hours by UTC, which begin in so many."""
    opens = datetime.now(UTC) + timedelta(hours=begin)
    hours = f"{opens:%H:%M}-{opens + timedelta(hours=2):%H:%M}"
    url = f"{_tool_sync(group)}/v1/orgs/{clinic['org']}/change-window"
    (await group.http.put(url, json={"window": hours})).raise_for_status()


async def _pin(group: Group, clinic: Mapping[str, Any], seconds: float) -> int:
    """The status of the answer."""
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    body = {"version": clinic["version"], "until": ends.isoformat(), "reason": "a text"}
    answer = await group.http.put(f"{_tool_sync(group)}/v1/orgs/{clinic['org']}/tools/{TOOL}/pin", json=body)
    assert answer.is_success or answer.status_code == REFUSED, answer.text
    return answer.status_code


def _tool_sync(group: Group) -> str:
    return services.base_url(group.ports["tool-sync-1"])


async def _type(group: Group, *words: str) -> None:
    child = group.children["operator"] = group.command("operator", "tool_sync", *words)

    async def has_ended() -> bool:
        return child.returncode is not None

    await eventually(has_ended, within_seconds=COMMAND_SECONDS_MAX)
    assert child.returncode == 0, f"{words}: status {child.returncode}; see {child.log}"
