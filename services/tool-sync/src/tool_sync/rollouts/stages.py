"""Stages as people write them: the defaults, ``careful``, or a file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet.decide import TIERS
from tool_sync.domain.tool_setting import nearest

BAKE_CAREFUL: Final = timedelta(minutes=30)
CALLS_CAREFUL: Final = 40
HOURS_CAREFUL: Final = 12
EXPIRES_AFTER: Final = timedelta(days=21)
"""A rollout whose gate has not opened by then changes nothing more."""
STAGES_MAX: Final = 20
ORGS_MAX: Final = 1_000
"""Clinics that all stages of a rollout name: an event holds 64 KiB at most."""
NAME_CHARACTERS_MAX: Final = 40
BAKE_SECONDS_MAX: Final = 14 * 86_400
GATE_CALLS_MAX: Final = 10_000
GATE_HOURS_MAX: Final = 20 * 24
"""Below the time after which a rollout expires."""
_KEYS: Final = ("name", "percent", "tiers", "orgs", "bake_minutes", "gate_calls", "gate_hours")


class BadStages(Exception):
    """The stages cannot be used; the message says all that is wrong with them, a line each."""


def default_stages(own_orgs: Sequence[UUID]) -> tuple[RolloutStage, ...]:
    """Own clinics where any are named, 1 %, all; without bakes."""
    return (*_own(own_orgs), RolloutStage("1 %", RINGS // 100), RolloutStage("all", RINGS))


def careful_stages(own_orgs: Sequence[UUID]) -> tuple[RolloutStage, ...]:
    """The same with 10 % in between, and after each stage but the last half an hour and a gate on calls."""
    bake = int(BAKE_CAREFUL.total_seconds())
    steps = (*_own(own_orgs), RolloutStage("1 %", RINGS // 100), RolloutStage("10 %", RINGS // 10))
    baked = tuple(
        replace(step, bake_seconds=bake, gate_calls=CALLS_CAREFUL, gate_hours=HOURS_CAREFUL) for step in steps
    )
    return (*baked, RolloutStage("all", RINGS))


def stages_of(text: str) -> tuple[RolloutStage, ...]:
    """The stages of a TOML text: ``[[stage]]`` tables. Raises :class:`BadStages`."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadStages(f"it cannot be read: {error}") from None
    stages = document.get("stage")
    if not isinstance(stages, list) or not stages or set(document) != {"stage"}:
        raise BadStages("write one table [[stage]] for each stage, and nothing beside them")
    return stages_from(stages)


def stages_from(stages: Sequence[Any]) -> tuple[RolloutStage, ...]:
    """The stages of what such tables hold, whoever read them. Raises :class:`BadStages`."""
    if not stages:
        raise BadStages("write one stage at least")
    if len(stages) > STAGES_MAX:
        raise BadStages(f"there are {len(stages)} stages; write at most {STAGES_MAX}")
    problems: list[str] = []
    made = [_stage(number, stage, problems) for number, stage in enumerate(stages, 1)]
    if (named := sum(len(stage.orgs) for stage in made)) > ORGS_MAX:
        problems.append(f"the stages name {named:,} clinics; name at most {ORGS_MAX:,}, or percentages")
    if problems:
        raise BadStages("\n".join(problems))
    return tuple(made)


def _own(own_orgs: Sequence[UUID]) -> tuple[RolloutStage, ...]:
    return (RolloutStage("own", orgs=tuple(map(str, own_orgs))),) if own_orgs else ()


def _stage(number: int, stage: Any, problems: list[str]) -> RolloutStage:
    found = stage if isinstance(stage, Mapping) else {}
    for key in found:
        if key not in _KEYS:
            meant = nearest(key, _KEYS)
            problems.append(f"stage {number}: {key} is no key" + (f"; did you mean {meant}?" if meant else ""))
    percent = found.get("percent", 0)
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        problems.append(f"stage {number}: percent is a number from 0 to 100, in steps of 0.01")
        percent = 0
    minutes = _number(number, found, "bake_minutes", BAKE_SECONDS_MAX // 60, "two weeks", problems)
    calls = _number(number, found, "gate_calls", GATE_CALLS_MAX, f"{GATE_CALLS_MAX:,}", problems)
    hours = _number(number, found, "gate_hours", GATE_HOURS_MAX, f"{GATE_HOURS_MAX:,}", problems)
    if hours and not calls:
        problems.append(f"stage {number}: gate_hours needs gate_calls, which it is the time for")
    tiers = _texts(number, found, "tiers", problems)
    known = ", ".join(TIERS)
    problems += [f"stage {number}: {tier} is no tier; the tiers are {known}" for tier in tiers if tier not in TIERS]
    orgs = _orgs(number, _texts(number, found, "orgs", problems), problems)
    ring_below = round(percent * RINGS / 100)
    if not ring_below and not orgs and not problems:
        problems.append(f"stage {number} holds nobody: write percent or orgs")
    name = found.get("name", f"stage {number}")
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > NAME_CHARACTERS_MAX:
        problems.append(f"stage {number}: name is a line of 1 to {NAME_CHARACTERS_MAX} characters")
    return RolloutStage(str(name), ring_below, tiers, orgs, minutes * 60, calls, hours)


def _number(number: int, stage: Mapping[str, Any], key: str, most: int, said: str, problems: list[str]) -> int:
    value = stage.get(key, 0)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    problems.append(f"stage {number}: {key} is a whole number, {said} at most")
    return 0


def _texts(number: int, stage: Mapping[str, Any], key: str, problems: list[str]) -> tuple[str, ...]:
    value = stage.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        problems.append(f"stage {number}: {key} is a list of texts")
        return ()
    return tuple(value)


def _orgs(number: int, texts: tuple[str, ...], problems: list[str]) -> tuple[str, ...]:
    orgs = []
    for text in texts:
        try:
            orgs.append(str(UUID(text)))
        except ValueError:
            problems.append(f"stage {number}: {text[:60]!r} is no organization's id")
    return tuple(orgs)
