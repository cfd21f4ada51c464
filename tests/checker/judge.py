"""All rules over one dump. Pure: the same dump has the same verdict."""

from collections.abc import Callable
from typing import Final

from tests.checker.dump import Dump
from tests.checker.history import History
from tests.checker.rules import (
    assistants,
    known,
    load,
    log,
    orders,
    publishing,
    reach,
    records,
    rest,
    saves,
    tenants,
    tools,
)
from tests.checker.verdict import Result, Verdict

RULES: Final[tuple[Callable[[History], Result], ...]] = (
    saves.check_lost,
    tools.check_one,
    tools.check_assistants,
    tools.check_surplus,
    assistants.check,
    log.check,
    publishing.check,
    saves.check_twice,
    tenants.check,
    load.check,
    records.check_clean,
    rest.check_rest,
    records.check_parked,
    reach.check_synced,
    reach.check_strangers,
    known.check,
    orders.check,
)


def judge(dump: Dump) -> Verdict:
    """Judge a run by what it left behind."""
    history = History(dump)
    results = [rule(history) for rule in RULES]
    faults, void = rest.check_faults(history)
    return Verdict((*results, faults, rest.check_latency(history)), tuple(void))
