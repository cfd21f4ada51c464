"""What the pages of tools and of rollouts share: in which stages, and planning an order."""

from collections.abc import Mapping

from fastapi import Request

from tool_sync.console.access import FormRefused
from tool_sync.console.state import console_of
from tool_sync.domain.events import RolloutStage
from tool_sync.http.commands import installed
from tool_sync.http.rollouts import plan
from tool_sync.rollouts.stages import careful_stages, default_stages
from zerotouch_platform.auth import Platform


def stages_of(request: Request, form: Mapping[str, str]) -> tuple[RolloutStage, ...]:
    """The stages that a form names. Raises :class:`FormRefused`."""
    own = installed(request).own_orgs
    match form.get("stages"):
        case "default":
            return default_stages(own)
        case "careful":
            return careful_stages(own)
        case _:
            raise FormRefused("stages: choose the stages default or careful")


async def plan_and_show(
    request: Request, caller: Platform, tool: str, version: int | None, stages: tuple[RolloutStage, ...]
) -> str:
    """Plan an order and keep the plan; the path of its page. Raises problems."""
    planned = await plan(request, caller, tool, version, stages)
    console_of(request).plans.keep(planned)
    return f"/rollouts/{planned.order.rollout_id}"
