"""Whether an assistant can book, as one sentence that a person reads out: now, or as of a time.

    standings   everything that is known of some assistants of a clinic, each as a sentence
    told        that sentence, made of :class:`Facts` alone

It is the only place that words it. The subject is left out ("can book since 09:02"), times are UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from tool_sync.db import Connection
from tool_sync.domain.drift import is_reworded
from tool_sync.domain.subject import agent_subject, tool_subject
from tool_sync.domain.wanted import HALTED_CODE, SWITCHED_OFF_CODE, TIER_CODE, Wanted, wanted_of
from tool_sync.queries.as_of import StateAsOf
from tool_sync.queries.assistant_turns import Since, Turns, turns_of
from tool_sync.queries.assistants import AssistantNow, assistants_named
from tool_sync.queries.coverage import Lack, cannot_book, lack_of
from tool_sync.queries.gaps import gaps_of
from tool_sync.queries.plain_words import BOOKING, ability, because, clock_at, meaning_of
from tool_sync.queries.tool_settings import ToolSetting, settings_at, who
from tool_sync.queries.tool_tries import FailedTry
from zerotouch_contracts.errors import entry_of

JUST_NOW_SECONDS: Final = 60.0

State = Literal["can", "cannot", "waits", "none", "gone"]


@dataclass(frozen=True, slots=True)
class Drift:
    """Somebody changed the tool at Vapi, or deleted it (``gone``). ``is_left``: that is reported alone, and stays."""

    tool: str
    differs: tuple[str, ...]
    gone: bool
    is_left: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the sentence is made of, as of ``now``.

    ``none_wanted`` is the code why the clinic is to have no tool, null where it is to have one. ``lacks`` is empty
    where callers reach every wanted tool. ``saved_at``: of a save that no outcome has followed yet. ``opens_at``:
    something waits for the clinic's change window until then. ``paused``: nothing can be sent to Vapi now;
    ``paused_until`` null: for how long is not known. ``troubles``: by tool.
    """

    agent_id: str
    now: datetime
    tier: str = "basic"
    is_closed: bool = False
    is_removed: bool = False
    removed_at: datetime | None = None
    since: Since | None = None
    code: str | None = None
    lacks: tuple[Lack, ...] = ()
    none_wanted: str | None = None
    off: tuple[ToolSetting, ...] = ()
    halted: Mapping[str, str] = field(default_factory=dict)
    trouble: FailedTry | None = None
    troubles: Mapping[str, FailedTry] = field(default_factory=dict)
    saved_at: datetime | None = None
    look_at: datetime | None = None
    paused: bool = False
    paused_until: datetime | None = None
    opens_at: datetime | None = None
    drifts: tuple[Drift, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """``sentence`` lacks its subject. ``next``: what happens next, as a sentence; may be empty.

    ``who_acts``: whom it is for, where somebody has to do it; empty where we do it by ourselves.
    """

    agent_id: str
    state: State
    sentence: str
    code: str | None = None
    next: str = ""
    who_acts: str = ""

    @property
    def brief(self) -> str:
        """The sentence as anybody may read it: whether and since when. Why, and by whom, follows on a colon or a
        semicolon; what it waits for is ours."""
        if self.state == "waits":
            return "cannot book yet"
        return self.sentence.partition(": ")[0].partition("; ")[0]


async def standings(connection: Connection, moment: StateAsOf, agents: Sequence[str]) -> tuple[Standing, ...]:
    """Of these assistants of the clinic, in their order; ids that nobody knows are left out.

    Four statements, whatever their number; read as :class:`~tool_sync.queries.assistant_turns.Turns` is.
    """
    settings = await settings_at(connection, moment.org_id, moment.position)
    turns = await turns_of(connection, moment.org_id, agents, moment.position)
    wanted = wanted_of(moment.state, moment.fleet, moment.org_id, moment.asked_at)
    if not moment.is_now:
        found = {agent: turns[agent] for agent in agents if turns[agent] != Turns()}
        return tuple(told(_facts(moment, wanted, settings, agent, past, None, ())) for agent, past in found.items())
    rows = {row.agent_id: row for row in await assistants_named(connection, moment.org_id, agents)}
    lacking = await cannot_book(connection, moment.org_id, limit=len(agents), agents=agents)
    lacks = {one.agent_id: one.lacks for one in lacking}
    return tuple(
        told(_facts(moment, wanted, settings, agent, turns[agent], rows[agent], lacks.get(agent, ())))
        for agent in agents
        if agent in rows
    )


def _facts(
    moment: StateAsOf,
    wanted: Wanted,
    settings: Sequence[ToolSetting],
    agent_id: str,
    turns: Turns,
    row: AssistantNow | None,
    lacks: tuple[Lack, ...],
) -> Facts:
    state = moment.state
    outcome = row.outcome if row else turns.outcome.result if turns.outcome else None
    named = turns.outcome.ids if turns.outcome else {ref.name: ref.vapi_tool_id for ref in row.synced} if row else {}
    has = {tool.name: ref.vapi_tool_id if (ref := state.tools.get(tool.name)) else None for tool in wanted.tools}
    code = (turns.outcome.code if turns.outcome else row.code if row else None) if outcome else None
    own = state.failures.get(agent_subject(agent_id))
    failures = {tool.name: state.failures.get(tool_subject(tool.name)) for tool in wanted.tools}
    key = moment.paused[0] if moment.paused else None
    spoken_at = turns.outcome.recorded_at if turns.outcome else None
    saves = [request.recorded_at for request in state.open_requests.get(agent_id, ())]
    return Facts(
        agent_id=agent_id,
        now=moment.asked_at,
        tier=state.tier,
        is_closed=state.closed,
        is_removed=row.removed if row else turns.removed_at is not None,
        removed_at=turns.removed_at,
        since=turns.since if outcome else None,
        code=code,
        lacks=lacks or (tuple(lack_of(gap, code) for gap in gaps_of(outcome, named, has)) if has else ()),
        none_wanted=wanted.none_wanted,
        off=tuple(one for one in settings if one.enabled is False and one.tool_name in moment.fleet.names),
        halted=moment.fleet.halted,
        trouble=FailedTry(own.code, own.retry_at) if own else None,
        troubles={name: FailedTry(f.code, f.retry_at) for name, f in failures.items() if f is not None},
        saved_at=max((at for at in saves if spoken_at is None or at > spoken_at), default=None),
        look_at=state.looks.get(agent_id),
        paused=key is not None,
        paused_until=key.until if key else None,
        opens_at=wanted.opens_at,
        drifts=tuple(
            Drift(tool.name, seen.differs, seen.gone, tool.reports_drift and is_reworded(seen))
            for tool in wanted.tools
            if (seen := state.drifted.get(tool.name)) is not None and seen.vapi_tool_id == has[tool.name]
        ),
    )


def told(facts: Facts) -> Standing:
    """The sentence: what is true of an assistant, in the order in which it matters to who calls it."""
    if facts.is_closed:
        return Standing(facts.agent_id, "gone", "takes no bookings: the clinic was deleted")
    if facts.is_removed:
        at = f" at {clock_at(facts.removed_at, facts.now)}" if facts.removed_at else ""
        return Standing(facts.agent_id, "gone", f"was deleted{at}")
    if facts.none_wanted is not None:
        return _none_wanted(facts, facts.none_wanted)
    return _lacking(facts) if facts.lacks else _can(facts)


def _none_wanted(facts: Facts, code: str) -> Standing:
    if facts.opens_at is not None:
        opens = clock_at(facts.opens_at, facts.now)
        sentence = f"cannot book yet: its tools come when the clinic's change window opens, at {opens}"
        return Standing(facts.agent_id, "waits", sentence, code)
    if code == SWITCHED_OFF_CODE and facts.off:
        newest = max(facts.off, key=lambda one: (one.tool_name == BOOKING, one.changed_at))
        sentence = f"cannot book since {clock_at(newest.changed_at, facts.now)}: {_switched_off(newest)}"
    elif code == HALTED_CODE and facts.halted:
        tool = BOOKING if BOOKING in facts.halted else min(facts.halted)
        sentence = f"cannot book{_since(facts)}: {ability(tool)} is stopped for every clinic: {facts.halted[tool]}"
    else:
        why = f"no tool belongs to its tier, {facts.tier}" if code == TIER_CODE else "no tool is ordered for it"
        sentence = f"takes no bookings: {why}"
    return Standing(facts.agent_id, "none", sentence, code, *_to_do(code))


def _switched_off(setting: ToolSetting) -> str:
    return f"{ability(setting.tool_name)} was switched off by {who(setting.actor)}{because(setting.reason)}"


def _lacking(facts: Facts) -> Standing:
    lack = facts.lacks[0]
    trouble = facts.troubles.get(lack.tool or "") or next(iter(facts.troubles.values()), None) or facts.trouble
    code = trouble.code if trouble else lack.code or facts.code
    if facts.paused and not _needs_somebody(code):
        until = f" until {clock_at(facts.paused_until, facts.now)}" if facts.paused_until else ""
        return Standing(facts.agent_id, "waits", f"waits for Vapi's key, which is paused{until}", code)
    if facts.saved_at is not None and trouble is None and _age(facts) <= JUST_NOW_SECONDS:
        sentence = f"was saved {_age(facts):.0f} s ago; its tools come now"
        return Standing(facts.agent_id, "waits", sentence)
    retry_at = trouble.retry_at if trouble and trouble.retry_at else facts.look_at
    sentence = f"{_opening(facts)}: {_why(facts, lack, trouble)}"
    return Standing(facts.agent_id, "cannot", sentence, code, *_next(facts, code, retry_at))


def _opening(facts: Facts) -> str:
    tools = {lack.tool for lack in facts.lacks}
    if None not in tools and BOOKING not in tools:
        return f"can book, but not all else ({', '.join(sorted(ability(tool) for tool in tools if tool))})"
    if any(lack.kind == "never synced" for lack in facts.lacks):
        return "cannot book yet"
    return f"cannot book{_since(facts) if facts.lacks[0].kind == 'failed' else ''}"


def _why(facts: Facts, lack: Lack, trouble: FailedTry | None) -> str:
    if trouble is not None:
        return meaning_of(trouble.code)
    what = ability(lack.tool or "")
    match lack.kind:
        case "failed":
            return meaning_of(lack.code)
        case "never synced":
            at = f" at {clock_at(facts.saved_at, facts.now)}" if facts.saved_at else ""
            return f"it was saved{at}, and its tools are not there yet"
        case "not there":
            return f"the clinic's tool for {what} is not at Vapi yet"
        case "not named":
            return f"its callers do not reach the clinic's tool for {what} yet"
        case "another id":
            return f"it still has an older tool for {what}"


def _can(facts: Facts) -> Standing:
    if any(drift.gone and drift.tool == BOOKING for drift in facts.drifts):
        return Standing(facts.agent_id, "cannot", f"cannot book: {'; '.join(_besides(facts))}")
    return Standing(facts.agent_id, "can", "; ".join((f"can book{_since(facts)}", *_besides(facts))))


def _besides(facts: Facts) -> Iterator[str]:
    """What does not keep it from booking, and is worth a word."""
    for drift in facts.drifts:
        if drift.gone:
            yield f"somebody has deleted its tool for {ability(drift.tool)} at Vapi, and it is made again"
        else:
            what = f" ({', '.join(drift.differs)})" if drift.differs else ""
            after = "that stays so" if drift.is_left else "that is put right"
            yield f"somebody has changed its tool for {ability(drift.tool)} at Vapi{what}, and {after}"
    yield from (_switched_off(setting) for setting in facts.off)
    for tool, trouble in facts.troubles.items():
        again = f", and is tried again at {clock_at(trouble.retry_at, facts.now)}" if trouble.retry_at else ""
        yield f"a change of {ability(tool)} failed: {meaning_of(trouble.code)}{again}"
    if facts.saved_at is not None:
        yield f"was saved {_age(facts):.0f} s ago"
    if facts.opens_at is not None:
        yield f"a change waits for the clinic's change window, which opens at {clock_at(facts.opens_at, facts.now)}"


def _since(facts: Facts) -> str:
    if facts.since is None:
        return ""
    return f" since {'before ' if facts.since.is_older else ''}{clock_at(facts.since.at, facts.now)}"


def _age(facts: Facts) -> float:
    assert facts.saved_at is not None
    return max(timedelta(), facts.now - facts.saved_at).total_seconds()


def _needs_somebody(code: str | None) -> bool:
    """Whether it does not mend itself, whatever else is waited for."""
    return (entry := entry_of(code)) is not None and not entry.retryable


def _next(facts: Facts, code: str | None, at: datetime | None) -> tuple[str, str]:
    """What happens next, and who does it."""
    if at is not None and at > facts.now:
        return f"We try again at {clock_at(at, facts.now)}.", ""
    if facts.saved_at is not None or at is not None:
        return "We try again now.", ""
    return _to_do(code)


def _to_do(code: str | None) -> tuple[str, str]:
    entry = entry_of(code)
    return (entry.what_to_do, entry.who_acts) if entry and entry.who_acts != "nobody" else ("", "")
