"""What an org is to have of each tool, by which rule, and which rules that one beats: now, or at a position."""

from dataclasses import dataclass
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.fleet import Rule, ToolDecision, decisions
from tool_sync.domain.wanted import clinic_of
from tool_sync.queries.as_of import StateAsOf
from tool_sync.queries.explain_rule import rule_of, why_beaten
from tool_sync.queries.explain_tool import pin_at
from tool_sync.queries.tool_settings import settings_at


@dataclass(frozen=True, slots=True)
class RuleBeaten:
    """What would decide without the rules before it. ``version`` null: none, or what it has, by the rule contract."""

    rule: Rule
    version: int | None
    rollout: str | None


@dataclass(frozen=True, slots=True)
class ToolWanted:
    """``version`` is what it should have by ``rule``; null: none. ``keeps``: it stays as it is, whatever that is.

    ``definition_hash`` tells publications of one number apart. ``rollout``: the order that gives it, or takes it away;
    null where something else decides. ``beaten``: the rules that would decide without that one, in their order;
    ``newer_orders``: why orders that came after the one that counts do not hold the clinic.
    """

    tool: str
    rule: Rule
    why: str
    version: int | None
    definition_hash: str | None
    keeps: bool
    rollout: str | None
    beaten: tuple[RuleBeaten, ...]
    newer_orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrgWanted:
    """``as_of_position`` is the clinic's newest event, ``fleet_position`` the newest of what was published and ordered.

    That is what is wanted, not what is there: a clinic without assistants is given no tool before its first save.
    """

    org_id: UUID
    as_of_position: int
    fleet_position: int
    tools: tuple[ToolWanted, ...]


async def wanted_at(connection: Connection, moment: StateAsOf) -> OrgWanted:
    """Of every tool that was published by then, in the order of their first versions."""
    fleet = moment.fleet
    clinic = clinic_of(moment.state, moment.org_id, moment.asked_at)
    settings = {setting.tool_name: setting for setting in await settings_at(connection, moment.org_id, moment.position)}
    tools = []
    for name in fleet.names:
        made, *beaten = decisions(clinic, fleet, name)
        pin = None if made.pin is None else await pin_at(connection, moment, name)
        tools.append(
            ToolWanted(
                name,
                made.rule,
                rule_of(made, moment, name, settings.get(name), pin),
                None if made.version is None else made.version.version,
                None if made.version is None else made.version.definition_hash,
                made.keeps,
                made.follows,
                tuple(map(_beaten, beaten)),
                tuple(why_beaten(order, moment) for order in made.beaten),
            )
        )
    return OrgWanted(moment.org_id, moment.position, fleet.position, tuple(tools))


def _beaten(made: ToolDecision) -> RuleBeaten:
    return RuleBeaten(made.rule, None if made.version is None else made.version.version, made.follows)
