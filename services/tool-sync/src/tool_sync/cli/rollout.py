"""``tool-sync rollout …``: one change for many clinics, in stages."""

from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn
from uuid import UUID

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import fail
from tool_sync.cli.options import DatabaseUrl, Json, Limit, Org, ReasonNeeded

if TYPE_CHECKING:
    from tool_sync.domain.fleet.rollout import RolloutCommand

DIGITS_MAX: Final = 9
"""Of a version's number."""

app = typer.Typer(
    name="rollout", help="Give clinics another version of a tool, in stages, or take it back.", no_args_is_help=True
)

RolloutArgument = Annotated[str, typer.Argument(metavar="ROLLOUT", help="The rollout's id, or how it begins.")]
ToolVersion = Annotated[
    str,
    typer.Argument(metavar="TOOL@V", help="The tool and the version that clinics should have; TOOL@none: no version."),
]
Stages = Annotated[
    str, typer.Option(metavar="STAGES", help="Take the stages default or careful, or those of a .toml file.")
]
OwnOrgs = Annotated[
    list[UUID] | None,
    typer.Option("--own-org", envvar="OWN_ORGS", metavar="ORG", help="Begin with this organization; may be repeated."),
]
PlanRate = Annotated[
    int | None,
    typer.Option(
        envvar="VAPI_REQUESTS_PER_MINUTE", help="Reckon with this many requests a minute.", metavar="N", min=1
    ),
]
PlanShare = Annotated[
    float,
    typer.Option(
        envvar="VAPI_RATE_SHARE", help="Reckon with tool-sync's share of that rate.", metavar="SHARE", min=0, max=1
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before it starts.")]
Follow = Annotated[bool, typer.Option("--follow", help="Show how far it comes, until it is over.")]


@app.command()
def plan(
    version: ToolVersion,
    database_url: DatabaseUrl,
    stages: Stages = "default",
    own_orgs: OwnOrgs = None,
    rate: PlanRate = None,
    share: PlanShare = 0.6,
    as_json: Json = False,
) -> None:
    """Show how many clinics a rollout would change, and by how many calls, and keep the plan. Nothing is sent."""
    from tool_sync.cli.rollout_apply import plan_rollout

    name, number = version_of(version)
    end_connected(
        database_url,
        plan_rollout,
        database_url,
        name,
        number,
        stages,
        tuple(own_orgs or ()),
        per_minute(rate, share),
        as_json=as_json,
    )


@app.command()
def apply(
    rollout: RolloutArgument,
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
    digest: Annotated[
        str | None, typer.Option("--plan", metavar="HASH", help="Refuse any other plan than that of this hash.")
    ] = None,
    follow: Follow = False,
) -> None:
    """Start a planned rollout. Exit status 3: the plan is no longer true, or another rollout of the tool is open."""
    from tool_sync.cli.rollout_apply import apply_rollout

    end_connected(database_url, apply_rollout, database_url, rollout, reason, digest=digest, follow=follow)


@app.command(name="list")
def list_(database_url: DatabaseUrl, as_json: Json = False) -> None:
    """List the rollouts, newest first, and the plans that were not applied."""
    from tool_sync.cli.rollout_show import show_rollouts

    end_connected(database_url, show_rollouts, as_json=as_json)


@app.command()
def status(rollout: RolloutArgument, database_url: DatabaseUrl, as_json: Json = False) -> None:
    """Show how far a rollout has come, and what it waits for."""
    from tool_sync.cli.rollout_show import show_status

    end_connected(database_url, show_status, rollout, as_json=as_json)


@app.command()
def orgs(
    rollout: RolloutArgument,
    database_url: DatabaseUrl,
    state: Annotated[
        Literal["done", "waiting", "refused", "left"] | None,
        typer.Option(metavar="STATE", help="List only clinics that are done, waiting, refused or left."),
    ] = None,
    after: Annotated[UUID | None, typer.Option(metavar="ORG", help="List only clinics behind this id.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List the clinics that a rollout is for, and what each waits for."""
    from tool_sync.cli.rollout_orgs import show_orgs

    end_connected(database_url, show_orgs, rollout, state, after, limit, as_json=as_json)


@app.command()
def retry(rollout: RolloutArgument, database_url: DatabaseUrl, reason: ReasonNeeded, org: Org = None) -> None:
    """Retry the clinics that Vapi refused, or whose newest try failed, now and whatever they wait for."""
    from tool_sync.cli.rollout_orgs import retry_orgs

    end_connected(database_url, retry_orgs, database_url, rollout, org, reason)


@app.command()
def watch(rollout: RolloutArgument, database_url: DatabaseUrl) -> None:
    """Follow a rollout until it is over. Exit status 1: it did not complete."""
    from tool_sync.cli.rollout_show import follow_rollout

    end_connected(database_url, follow_rollout, rollout)


@app.command()
def pause(rollout: RolloutArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Pause a rollout: no further clinic gets the version, and who has it keeps it."""
    _command(database_url, rollout, "pause", reason)


@app.command()
def resume(rollout: RolloutArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Resume a paused rollout where it stopped."""
    _command(database_url, rollout, "resume", reason)


@app.command()
def promote(rollout: RolloutArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Open the next stage now, whatever the gate says; where the last one is open, complete the rollout."""
    _command(database_url, rollout, "promote", reason)


@app.command()
def abort(rollout: RolloutArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """End a rollout as it is: no further clinic gets the version, and who has it keeps it."""
    _command(database_url, rollout, "abort", reason)


@app.command()
def rollback(rollout: RolloutArgument, database_url: DatabaseUrl, reason: ReasonNeeded, follow: Follow = False) -> None:
    """Roll a rollout back: every clinic gets what it would have without it."""
    _command(database_url, rollout, "rollback", reason, follow=follow)


def _command(database_url: str, rollout: str, what: "RolloutCommand", reason: str, *, follow: bool = False) -> NoReturn:
    from tool_sync.cli.rollout_apply import command_rollout

    end_connected(database_url, command_rollout, database_url, rollout, what, reason, follow=follow)


def version_of(text: str) -> tuple[str, int | None]:
    """The tool and the number of ``TOOL@V``, None for ``TOOL@none``; ends the command where it is neither."""
    name, _, number = text.partition("@")
    is_number = number.isascii() and number.isdigit() and len(number) <= DIGITS_MAX
    if not name or not (number == "none" or is_number):
        fail(f"{text!r} names no version; write {name or 'TOOL'}@2, or {name or 'TOOL'}@none")
    return name, None if number == "none" else int(number)


def per_minute(rate: int | None, share: float) -> int | None:
    """The calls a minute that a forecast reckons with."""
    from tool_sync.vapi.rate_limit.tokens import share_of_rate

    return None if rate is None else share_of_rate(rate, share)
