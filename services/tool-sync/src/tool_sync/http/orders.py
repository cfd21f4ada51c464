"""What HTTP says of the clinics that get an order together: default stages by name, or stages of one's own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from tool_sync.domain.events import RolloutPlanned, RolloutStage
from tool_sync.http.body import Body
from tool_sync.http.commands import Command
from tool_sync.http.problems import Problem
from tool_sync.rollouts.stages import BadStages, careful_stages, default_stages, stages_from
from zerotouch_contracts.errors import ErrorCode

OWN_ORGS_MAX: Final = 100


class Staged(Body):
    """In which stages."""

    stages: Literal["default", "careful"] | list[dict[str, Any]] = Field(
        default="default", description="Or objects with `name`, `percent`, `tiers`, `orgs`, `bake_minutes`."
    )
    own_orgs: list[str] = Field(
        default_factory=list, max_length=OWN_ORGS_MAX, description="Begin `default` or `careful` with these clinics."
    )


PLAN: Final = {"tool": "bookClinicAppointment", "version": 3, "stages": "careful"}
"""An example."""


class PlanBody(Staged):
    """An order as it would be."""

    tool: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    version: int | None = Field(ge=1, le=2**31 - 1, description="null: the tool is to go.")


@dataclass(frozen=True, slots=True)
class PlanShown(RolloutPlanned):
    """A plan, and what it was counted from; see `RolloutPlanned` for the rest.

    ``clinics`` and ``assistants`` are by what becomes of them, ``left_by`` and ``trouble`` count clinics by why.
    """

    clinics: dict[str, int]
    assistants: dict[str, int]
    windows_closed: int
    left_by: dict[str, int]
    trouble: dict[str, int]
    words_not_open: dict[str, int]
    oldest_look: datetime | None
    gates: list[str]
    stage_clinics: list[int]
    outside: int
    floor_seconds: float | None


class OrderBody(Staged, Command):
    """An order that starts at once."""


def stages_asked(body: Staged) -> tuple[RolloutStage, ...]:
    """The stages. Raises a 422 problem that says all that is wrong with them."""
    own = [org_asked(text) for text in body.own_orgs]
    if isinstance(body.stages, str):
        return default_stages(own) if body.stages == "default" else careful_stages(own)
    if own:
        raise Problem(422, ErrorCode.INVALID_REQUEST, "own_orgs: belong to the stages default and careful alone")
    try:
        return stages_from(body.stages)
    except BadStages as error:
        raise Problem(422, ErrorCode.INVALID_REQUEST, "; ".join(str(error).splitlines())) from error


def org_asked(text: str) -> UUID:
    """An organization's id. Raises a 422 problem."""
    try:
        return UUID(text)
    except ValueError:
        raise Problem(422, ErrorCode.INVALID_REQUEST, "an organization's id is a UUID") from None
