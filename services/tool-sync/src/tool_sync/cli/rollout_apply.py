"""``tool-sync rollout plan | apply | pause | …``, and orders that ask once in between: what each writes and says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import typer

from tool_sync.admin.operator import ACTOR
from tool_sync.cli.connected import log_of
from tool_sync.cli.exits import EXIT_REFUSED, CommandRefused, NotFound, error
from tool_sync.cli.output import print_json, print_line, print_lines, print_whole
from tool_sync.cli.rollout_show import follow_rollout
from tool_sync.db import Connection
from tool_sync.domain.events import RolloutStage
from tool_sync.domain.fleet.rollout import Refused, RolloutCommand
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts import operating
from tool_sync.rollouts.applying import PlanChanged, apply_plan, plan_order
from tool_sync.rollouts.finding import find_rollout
from tool_sync.rollouts.plan import Planned
from tool_sync.rollouts.plan_lines import plan_lines
from tool_sync.rollouts.publish import newest_usable
from tool_sync.rollouts.stages import BadStages, careful_stages, default_stages, stages_of

STAGES_BYTES_MAX: Final = 100_000

_DID: Final[dict[RolloutCommand, str]] = {
    "pause": "is paused: no further clinic gets it",
    "resume": "goes on",
    "promote": "is promoted",
    "abort": "is aborted: who has the version keeps it",
    "rollback": "is rolled back: every clinic gets what it would have without it",
}

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Choice:
    """How an order is to be carried out. ``per_minute``: calls, for the forecast alone. ``yes``: nobody is asked."""

    stages: str
    own_orgs: tuple[UUID, ...]
    per_minute: int | None
    reason: str
    yes: bool


def unless_refused(done: Done | Refused) -> Done:
    """What was done. Raises :class:`~tool_sync.cli.exits.CommandRefused`."""
    if isinstance(done, Refused):
        raise CommandRefused(done.why)
    return done


async def plan_rollout(
    connection: Connection,
    database_url: str,
    tool: str,
    version: int | None,
    stages: str,
    own_orgs: tuple[UUID, ...],
    per_minute: int | None,
    *,
    as_json: bool,
) -> None:
    """Print the plan."""
    planned = await _keep_plan(connection, database_url, tool, version, read_stages(stages, own_orgs))
    if as_json:
        print_json("rollout plan", planned.document(per_minute))
        return
    print_lines(plan_lines(planned, per_minute))
    print_line(f"to start it: tool-sync rollout apply {planned.order.rollout_id} --plan {planned.digest} --reason TEXT")


async def _keep_plan(
    connection: Connection, database_url: str, tool: str, version: int | None, stages: tuple[RolloutStage, ...]
) -> Planned:
    async with log_of(database_url) as log:
        return unless_refused(await plan_order(connection, log, tool, version, stages, actor=ACTOR))


def read_stages(stages: str, own_orgs: tuple[UUID, ...]) -> tuple[RolloutStage, ...]:
    """The stages by their name, or of a file."""
    if stages in ("default", "careful"):
        return default_stages(own_orgs) if stages == "default" else careful_stages(own_orgs)
    try:
        with Path(stages).open("rb") as file:
            content = file.read(STAGES_BYTES_MAX + 1)
        if len(content) > STAGES_BYTES_MAX:
            raise BadStages(f"it has more than {STAGES_BYTES_MAX:,} bytes")
        return stages_of(content.decode())
    except (OSError, UnicodeDecodeError) as caught:
        raise NotFound(f"{stages} is neither default nor careful, and no file that can be read: {caught}") from caught
    except BadStages as caught:
        raise NotFound(f"{stages}: {caught}") from caught


async def order_tool(connection: Connection, database_url: str, name: str, version: int | None, choice: Choice) -> int:
    """Plan the order, show it, ask, start it and follow it; returns the exit status."""
    steps = read_stages(choice.stages, choice.own_orgs)
    planned = await _keep_plan(connection, database_url, name, version, steps)
    rollout = planned.order.rollout_id
    print_lines(plan_lines(planned, choice.per_minute))
    if not choice.yes and not _is_wished():
        print_line(f"to start it later: tool-sync rollout apply {rollout} --reason TEXT")
        return 0
    return await apply_rollout(connection, database_url, rollout, choice.reason, digest=planned.digest, follow=True)


def _is_wished() -> bool:
    """Whether somebody says yes; where nobody can be asked it is no, and the plan is kept."""
    try:
        return typer.confirm("Start it?")
    except typer.Abort:
        print_whole("")
        return False


async def enable_tool(connection: Connection, database_url: str, name: str, choice: Choice) -> int:
    """Order the newest version that was not withdrawn; returns the exit status."""
    newest = unless_refused(newest_usable(await fleet_of(connection), name))
    return await order_tool(connection, database_url, name, newest, choice)


async def apply_rollout(
    connection: Connection, database_url: str, text: str, reason: str, *, digest: str | None, follow: bool
) -> int:
    """Start it; returns the exit status."""
    found = find_rollout(await fleet_of(connection), text)
    async with log_of(database_url) as log:
        done = unless_refused(await apply_plan(connection, log, found, reason=reason, digest=digest, actor=ACTOR))
    if isinstance(done, PlanChanged):
        print_lines(plan_lines(done.now, None))
        error(f"{done.share:.0%} of the plan's clinics have changed since; this is what it would be now: plan it anew")
        return EXIT_REFUSED
    print_line(f"rollout {found} has started; tool-sync does the rest")
    return await follow_rollout(connection, found) if follow else 0


async def command_rollout(
    connection: Connection, database_url: str, text: str, what: RolloutCommand, reason: str, *, follow: bool
) -> int:
    """Write the command; returns the exit status."""
    found = find_rollout(await fleet_of(connection), text)
    async with log_of(database_url) as log:
        unless_refused(await operating.command_rollout(log, found, what, reason=reason, actor=ACTOR))
    print_line(f"rollout {found} {_DID[what]}")
    return await follow_rollout(connection, found, until_settled=True) if follow else 0
