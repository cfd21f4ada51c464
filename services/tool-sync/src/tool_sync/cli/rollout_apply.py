"""``tool-sync rollout plan | apply | pause | …``: what each writes, and what it says then."""

from pathlib import Path
from typing import Final
from uuid import UUID

from tool_sync.admin.operator import ACTOR
from tool_sync.cli.connected import NotFound, log_of
from tool_sync.cli.options import EXIT_REFUSED
from tool_sync.cli.output import error, print_json
from tool_sync.cli.rollout_show import follow_rollout, plan_document, plan_lines
from tool_sync.db import Connection
from tool_sync.domain.events import RolloutStage
from tool_sync.domain.fleet.rollout import Refused, RolloutCommand, decide_rollout
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.applying import PlanChanged, apply_plan, find_rollout, plan_order
from tool_sync.rollouts.command import rollout_stream, write
from tool_sync.rollouts.plan import Planned
from tool_sync.rollouts.stages import BadStages, careful_stages, default_stages, stages_of

STAGES_BYTES_MAX: Final = 100_000

_DID: Final[dict[RolloutCommand, str]] = {
    "pause": "is paused: no further clinic gets it",
    "resume": "goes on",
    "promote": "is promoted",
    "abort": "is aborted: who has the version keeps it",
    "rollback": "is rolled back: every clinic gets what it would have without it",
}


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
) -> int:
    """Print the plan; returns the exit status."""
    steps = read_stages(stages, own_orgs)
    planned = await keep_plan(connection, database_url, tool, version, steps)
    if isinstance(planned, Refused):
        return refuse(planned)
    if as_json:
        print_json("rollout plan", plan_document(planned, per_minute))
        return 0
    print("\n".join(plan_lines(planned, per_minute)))
    print(f"to start it: tool-sync rollout apply {planned.order.rollout_id} --plan {planned.digest} --reason TEXT")
    return 0


async def keep_plan(
    connection: Connection, database_url: str, tool: str, version: int | None, stages: tuple[RolloutStage, ...]
) -> Planned | Refused:
    """Plan it and keep the plan, for an operator."""
    async with log_of(database_url) as log:
        return await plan_order(connection, log, tool, version, stages, actor=ACTOR)


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


async def apply_rollout(
    connection: Connection, database_url: str, text: str, reason: str, *, digest: str | None, follow: bool
) -> int:
    """Start it; returns the exit status."""
    found = find_rollout(await fleet_of(connection), text)
    if isinstance(found, Refused):
        raise NotFound(found.why)
    async with log_of(database_url) as log:
        done = await apply_plan(connection, log, found, reason=reason, digest=digest, actor=ACTOR)
    if isinstance(done, PlanChanged):
        print("\n".join(plan_lines(done.now, None)))
        error(f"{done.share:.0%} of the plan's clinics have changed since; this is what it would be now: plan it anew")
        return EXIT_REFUSED
    if isinstance(done, Refused):
        return refuse(done)
    print(f"rollout {found} has started; tool-sync does the rest")
    return await follow_rollout(connection, found) if follow else 0


async def command_rollout(
    connection: Connection, database_url: str, text: str, what: RolloutCommand, reason: str, *, follow: bool
) -> int:
    """Write the command; returns the exit status."""
    found = find_rollout(await fleet_of(connection), text)
    if isinstance(found, Refused):
        raise NotFound(found.why)
    async with log_of(database_url) as log:
        written = await write(
            log, rollout_stream(found), lambda fleet: decide_rollout(fleet, found, what, reason=reason), actor=ACTOR
        )
    if isinstance(written, Refused):
        return refuse(written)
    print(f"rollout {found} {_DID[what]}")
    return await follow_rollout(connection, found, until_settled=True) if follow else 0


def refuse(refused: Refused) -> int:
    """Say why nothing was written; the exit status."""
    error(refused.why)
    return EXIT_REFUSED
