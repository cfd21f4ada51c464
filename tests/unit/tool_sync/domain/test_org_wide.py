"""A change that concerns a whole org: its assistants are looked through, told, and then the change is settled."""

from dataclasses import replace

from tool_sync.domain.commands import SettleSynced
from tool_sync.domain.events import (
    OrgSettled,
    OrgTierChanged,
)
from tool_sync.domain.plan.situation import ObservedLink, OrgWide, RunProgress
from tool_sync.domain.plan.steps import LinkAssistant, Plan, RegisterTool, Step
from tool_sync.domain.wanted import WantedTool

from .builders import (
    BOOK,
    CANCEL,
    after,
    assistant,
    failed,
    given,
    linking,
    plan,
    ref,
    registered,
    registering,
    then,
)

HAVE = (registering(), registered())


def kinds(made: Plan) -> list[type[Step]]:
    return [type(step) for step in made.steps]


def found(
    *agents: str,
    target: tuple[WantedTool, ...] = (BOOK,),
    has_assistants: bool = True,
    is_last: bool | None = None,
) -> RunProgress:
    """The run looked through the org and found these assistants to be without the target; there may be more."""
    refs = tuple(ref(tool) for tool in target)
    return RunProgress(
        org_wide=OrgWide(refs, frozenset(agents), has_assistants, not agents if is_last is None else is_last)
    )


def test_a_tier_change_looks_through_the_org_before_anything_else() -> None:
    assert plan(given(*HAVE, OrgTierChanged("professional")), wanted=(BOOK, CANCEL)) == Plan(look_org_wide=True)


def test_a_tier_change_of_an_org_without_assistants_registers_nothing() -> None:
    made = plan(
        given(OrgTierChanged("professional")), wanted=(BOOK, CANCEL), progress=found(has_assistants=False, target=())
    )

    assert (made.steps, made.commands) == ((), (OrgSettled(1),))


def test_a_tier_change_registers_the_missing_tool_then_looks_again_then_links() -> None:
    state, both = given(*HAVE, OrgTierChanged("professional")), (BOOK, CANCEL)
    assert plan(state, wanted=both, progress=found()).steps == (RegisterTool(CANCEL),)

    state = then(state, registering(102, CANCEL), registered(102, CANCEL))
    assert plan(state, wanted=both, progress=found()) == Plan(look_org_wide=True)
    assert kinds(plan(state, wanted=both, progress=found("a", target=both))) == [LinkAssistant]
    assert plan(state, wanted=both, progress=found(target=both)).commands == (OrgSettled(3),)


def test_a_page_that_is_done_is_followed_by_the_next() -> None:
    told = assistant(synced=(ref(),))

    made = plan(given(*HAVE, OrgTierChanged("basic")), told, progress=found("a"))

    assert made == Plan(look_org_wide=True)  # and the assistant is not told a second time


def test_after_the_last_page_nobody_is_looked_for_again_but_where_a_tool_has_come() -> None:
    told = assistant(synced=(ref(),))
    state = given(*HAVE, OrgTierChanged("basic"))

    assert plan(state, told, progress=found("a", is_last=True)).commands == (OrgSettled(3),)
    assert plan(state, told, progress=found("a", target=(), is_last=True)) == Plan(look_org_wide=True)


def test_a_tier_change_is_not_done_while_a_tool_of_the_tier_is_missing() -> None:
    state = given(*HAVE, OrgTierChanged("professional"), failed("tool:cancel", retry_at=after(10)))

    made = plan(state, wanted=(BOOK, CANCEL), progress=found())

    assert (made.steps, made.commands, made.next_due) == ((), (), after(10))


def test_a_tier_change_is_not_done_while_a_link_has_no_answer() -> None:
    state = given(*HAVE, OrgTierChanged("basic"), linking())

    made = plan(state, at=1, progress=found())

    assert (made.steps, made.commands, made.next_due) == ((), (), after(20))


def test_a_tier_change_is_done_where_its_tool_was_refused_for_good() -> None:
    refused = failed("tool:cancel", retry_at=None, definition_hash=CANCEL.definition_hash)
    state = given(*HAVE, OrgTierChanged("professional"), refused)

    assert plan(state, wanted=(BOOK, CANCEL), progress=found()).commands == (OrgSettled(3),)


def test_a_change_that_no_save_asked_for_is_told_with_its_cause() -> None:
    state = given(*HAVE, OrgTierChanged("basic"))
    progress = replace(found("a"), seen={"a": ObservedLink((ref(),), 0)})

    (command,) = plan(state, progress=progress).commands
    assert isinstance(command, SettleSynced)
    assert (command.changed, command.cause) == (True, "tier")
