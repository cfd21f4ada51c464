"""Broken rules of orders: who is held by which, what a worker knows of them, and what follows when one ends."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

from tool_sync.domain import decider, wanted
from tool_sync.domain import evolve as evolving
from tool_sync.domain import plan as planning
from tool_sync.domain.events import RolloutStage, ToolUpdated
from tool_sync.domain.fleet import Clinic, Fleet, Order, decide
from tool_sync.domain.fleet.decide import contains
from tool_sync.domain.fleet.work import work_of
from tool_sync.domain.plan import assistants as plan_assistants
from tool_sync.domain.plan import tools as plan_tools
from tool_sync.rollouts import due
from tool_sync.sync import knowledge
from tool_sync.sync.context import FleetView

from . import feeder, ports

# The packages export functions of these names; these are the modules that they are in.
register: Any = import_module("tool_sync.sync.effects.register")
evolve_attempts: Any = import_module("tool_sync.domain.evolve.attempts")
evolve_deletions: Any = import_module("tool_sync.domain.evolve.deletions")
evolve_tools: Any = import_module("tool_sync.domain.evolve.tools")

Holds = Callable[[Order, Clinic], bool]


@contextmanager
def _holding(mutated: Callable[[Holds, Order, Clinic], bool]) -> Iterator[None]:
    holds = decide.holds
    with patch.object(decide, "holds", lambda order, clinic: mutated(holds, order, clinic)):
        yield


def running_order_holds_everybody() -> AbstractContextManager[None]:
    """Whatever stages are open."""
    return _holding(lambda holds, order, clinic: order.state == "running" or holds(order, clinic))


def signup_is_a_canary() -> AbstractContextManager[None]:
    """Who signs up while an order runs is in the stages that are open."""
    return _holding(lambda holds, order, clinic: holds(order, replace(clinic, since=None)))


def only_the_newest_stage_is_open() -> AbstractContextManager[None]:
    """A stage closes when the next one opens."""

    def mutated(holds: Holds, order: Order, clinic: Clinic) -> bool:
        nobody = RolloutStage("closed")
        stages = tuple(s if n >= order.open_stage else nobody for n, s in enumerate(order.stages))
        return holds(replace(order, stages=stages) if order.state == "running" else order, clinic)

    return _holding(mutated)


def first_stage_needs_no_gate() -> AbstractContextManager[None]:
    """An order that waits at its first gate has its first stage open."""
    return _holding(lambda holds, order, clinic: holds(replace(order, open_stage=max(order.open_stage, 0)), clinic))


def pause_is_ignored() -> AbstractContextManager[None]:
    """A paused order goes on."""

    def mutated(holds: Holds, order: Order, clinic: Clinic) -> bool:
        return holds(replace(order, state="running") if order.state == "paused" else order, clinic)

    return _holding(mutated)


def abort_takes_away() -> AbstractContextManager[None]:
    """Who has an order that was aborted loses it."""
    return _holding(lambda holds, order, clinic: order.state != "aborted" and holds(order, clinic))


def rolled_back_order_still_counts() -> AbstractContextManager[None]:
    """Who had it keeps it."""

    def mutated(holds: Holds, order: Order, clinic: Clinic) -> bool:
        return holds(replace(order, state="aborted") if order.state == "rolled_back" else order, clinic)

    return _holding(mutated)


@contextmanager
def _choosing(mutated: Callable[[Clinic, tuple[Order, ...]], tuple[Order | None, tuple[Order, ...]]]) -> Iterator[None]:
    with patch.object(decide, "_candidate", mutated):
        yield


def older_order_wins() -> AbstractContextManager[None]:
    """The first order that holds the clinic, for ever."""
    candidate = decide._candidate
    return _choosing(lambda clinic, orders: candidate(clinic, orders[::-1]))


def higher_version_wins() -> AbstractContextManager[None]:
    """Never a lower version, whatever was ordered last."""

    def mutated(clinic: Clinic, orders: tuple[Order, ...]) -> tuple[Order | None, tuple[Order, ...]]:
        holding = [order for order in orders if decide.holds(order, clinic)]
        return max(reversed(holding), key=lambda order: order.version or 0, default=None), ()

    return _choosing(mutated)


@contextmanager
def reloads_no_fleet() -> Iterator[None]:
    """After a conflict the clinic is read again, and decided by the fleet that the run began with."""
    reloaded = knowledge.Knowledge.reloaded

    def mutated(self: Any, loaded: Any) -> None:
        reloaded(self, replace(loaded, fleet=self.fleet))

    with patch.object(knowledge.Knowledge, "reloaded", mutated):
        yield


@contextmanager
def hears_of_no_order() -> Iterator[None]:
    """A process decides by the fleet that it read first."""
    take_in = FleetView.take_in

    def mutated(self: FleetView, events: Any) -> Fleet:
        return self.now if self.position > 0 else take_in(self, events)

    with patch.object(FleetView, "take_in", mutated):
        yield


@contextmanager
def reads_once() -> Iterator[None]:
    """However long Vapi takes, a run decides by what it read at its beginning."""
    with patch.object(knowledge.Knowledge, "is_old", False):
        yield


@contextmanager
def overtaken_write_is_allowed() -> Iterator[None]:
    """A worker that slept writes what was ordered before."""
    with patch.object(decider, "_is_overtaken", lambda *_: False):
        yield


@contextmanager
def only_an_order_overtakes() -> Iterator[None]:
    """What a halt, a setting or a tier has decided on a newer fleet is undone by a worker that slept."""

    def by_order(changes: Callable[..., Any]) -> Callable[..., Any]:
        def mutated(state: Any, *arguments: Any) -> Any:
            found, event = changes(state, *arguments), arguments[-1]
            has_order = getattr(event, "order", None) is not None
            return found if has_order or "decided_on" not in found else {**found, "decided_on": state.decided_on}

        return mutated

    with (
        patch.object(evolve_attempts, "changes", by_order(evolve_attempts.changes)),
        patch.object(evolve_deletions, "_of_retired", by_order(evolve_deletions._of_retired)),
    ):
        yield


@contextmanager
def order_is_not_recorded() -> Iterator[None]:
    """The announcement of an update does not say which order it follows."""
    started = register.ToolUpdateStarted
    with patch.object(
        register, "ToolUpdateStarted", lambda *fields, **told: started(*fields[:-2], None, fields[-1], **told)
    ):
        yield


@contextmanager
def follows_what_was_only_announced() -> Iterator[None]:
    """A write that never happened makes the clinic one that has the order."""
    changes = evolve_attempts.changes

    def mutated(state: Any, recorded: Any, event: Any) -> Any:
        found = changes(state, recorded, event)
        order = getattr(event, "order", None)
        return found if order is None else {**found, "given_by": {**state.given_by, event.name: (order,)}}

    with patch.object(evolve_attempts, "changes", mutated):
        yield


@contextmanager
def follows_the_newest_alone() -> Iterator[None]:
    """When an order is taken back, the one that was aborted before it holds nobody any more."""
    clinic_of = wanted.clinic_of

    def mutated(state: Any, org_id: Any, now: Any) -> Clinic:
        clinic = clinic_of(state, org_id, now)
        return replace(clinic, follows={name: tuple(mine)[-1:] for name, mine in clinic.follows.items()})

    with patch.object(wanted, "clinic_of", mutated):
        yield


@contextmanager
def _deciding(mutated: Callable[[Fleet], Fleet]) -> Iterator[None]:
    made = decide.decide_tool
    with patch.object(wanted, "decide_tool", lambda clinic, fleet, name: made(clinic, mutated(fleet), name)):
        yield


def halt_is_ignored() -> AbstractContextManager[None]:
    """A halted tool goes on."""
    return _deciding(lambda fleet: replace(fleet, halted={}))


def contract_is_ignored() -> AbstractContextManager[None]:
    """What nobody answers is registered."""

    def mutated(fleet: Fleet) -> Fleet:
        versions = (version for of_tool in fleet.versions.values() for version in of_tool.values())
        return replace(fleet, answered=frozenset((version.name, version.contract) for version in versions))

    return _deciding(mutated)


@contextmanager
def update_in_place_concerns_assistants() -> Iterator[None]:
    """Every assistant is looked through when a definition changes."""
    changes = evolve_tools.changes

    def mutated(state: Any, recorded: Any, event: Any) -> Any:
        found = changes(state, recorded, event)
        return {**found, "org_wide_through": recorded.position} if isinstance(event, ToolUpdated) else found

    with patch.object(evolve_tools, "changes", mutated):
        yield


@contextmanager
def assistants_are_compared_by_version() -> Iterator[None]:
    """An assistant that links the right tool lacks it where it was told of another definition of it."""
    with ExitStack() as stack:
        for module in (plan_assistants, plan_tools, knowledge, ports):
            stack.enter_context(patch.object(module, "ids_of", tuple))
        yield


@contextmanager
def leaves_what_is_found_late() -> Iterator[None]:
    """A lost registration is found when nothing orders the tool any more, and stays."""
    with patch.object(planning, "is_ordered_away", lambda _situation: False):
        yield


@contextmanager
def feeds_no_removals() -> Iterator[None]:
    """The feeder passes over clinics that are to lose a tool."""
    with patch.object(due, "WORK", frozenset({"update", "add"})):
        yield


@contextmanager
def numbers_of_what_is_told_repeat() -> Iterator[None]:
    """What was told last is not folded, so that the next one takes its number."""
    with patch.object(evolving, "number_after", lambda state, _event: state.fleet_sequence):
        yield


@contextmanager
def answer_says_no_version_before() -> Iterator[None]:
    """The answer to an update does not say what it replaced."""

    def mutated(**fields: Any) -> ToolUpdated:
        return ToolUpdated(**{**fields, "version_before": None})

    with patch.object(decider, "ToolUpdated", mutated):
        yield


@contextmanager
def settles_before_older_runs_end() -> Iterator[None]:
    """The feeder is done though runs are left that have read an older fleet."""
    with patch.object(feeder.Feeder, "_held", lambda *_: set()):
        yield


@contextmanager
def words_are_put_right_whatever_the_policy() -> Iterator[None]:
    """Drift that is only to be reported is put right."""
    is_as_wanted = plan_tools.is_as_wanted

    def mutated(state: Any, tool: Any) -> bool:
        return is_as_wanted(state, replace(tool, reports_drift=False))

    with patch.object(plan_tools, "is_as_wanted", mutated), patch.object(plan_assistants, "is_as_wanted", mutated):
        yield


@contextmanager
def leaves_what_was_reported() -> Iterator[None]:
    """Once drift is to be put right again, what was seen before stays as it is."""
    with patch.object(due, "work_of", lambda facts, *rest: work_of(replace(facts, is_reworded=False), *rest)):
        yield


@contextmanager
def leaves_what_keeps_callers_from_booking() -> Iterator[None]:
    """Another server counts as other words."""
    with patch.object(plan_tools, "is_reworded", lambda drift: not drift.gone):
        yield


def stage_is_for_everybody() -> AbstractContextManager[None]:
    """A ring below which nobody is counts as one of all."""

    @contextmanager
    def mutated() -> Iterator[None]:
        everybody = lambda stage, clinic: contains(replace(stage, ring_below=10_000), clinic)  # noqa: E731
        with patch.object(decide, "contains", everybody):
            yield

    return mutated()


ORDERS: tuple[Callable[[], AbstractContextManager[object]], ...] = (
    running_order_holds_everybody,
    signup_is_a_canary,
    only_the_newest_stage_is_open,
    stage_is_for_everybody,
    first_stage_needs_no_gate,
    pause_is_ignored,
    abort_takes_away,
    rolled_back_order_still_counts,
    older_order_wins,
    higher_version_wins,
    reloads_no_fleet,
    hears_of_no_order,
    reads_once,
    overtaken_write_is_allowed,
    only_an_order_overtakes,
    order_is_not_recorded,
    follows_what_was_only_announced,
    follows_the_newest_alone,
    halt_is_ignored,
    contract_is_ignored,
    update_in_place_concerns_assistants,
    assistants_are_compared_by_version,
    leaves_what_is_found_late,
    feeds_no_removals,
    numbers_of_what_is_told_repeat,
    answer_says_no_version_before,
    settles_before_older_runs_end,
    words_are_put_right_whatever_the_policy,
    leaves_what_was_reported,
    leaves_what_keeps_callers_from_booking,
)
