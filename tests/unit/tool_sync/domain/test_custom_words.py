"""A clinic's own words: which of them its version takes, and what is written when they change."""

from dataclasses import replace

from tool_sync.domain.commands import ConfirmTool, FailStep
from tool_sync.domain.decider import decide, decide_told
from tool_sync.domain.events import (
    BlueprintPublished,
    CustomPart,
    Event,
    OrgClosed,
    OrgRegistered,
    OrgSettled,
    ToolCustomized,
    ToolRetired,
    ToolSettingChanged,
    ToolSettingRemoved,
    ToolTextLost,
    ToolUpdated,
    ToolUpdateStarted,
)
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.situation import RunProgress, Situation
from tool_sync.domain.plan.steps import UpdateTool
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.tool_setting import SettingBasis, SettingWish, decide_setting
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import WantedTool, version_given, wanted_of

from .builders import ACCOUNT, POLICY, after, given, registered, registering, then, uid, updating
from .fleets import ORG, fleet_of, ordered, published

SUFFIX = CustomPart("description_suffix", "hash-suffix", 40)
MESSAGES = CustomPart("messages", "hash-messages", 90)
OTHER = replace(SUFFIX, hash="hash-other")
OPEN = ("description_suffix", "messages")


def opened(version: int = 1, open_: tuple[str, ...] = OPEN, description: str = "Books.") -> BlueprintPublished:
    event = published(version=version)
    assert event.document is not None
    document = {**event.document, "function": {"name": "book", "description": description}}
    return replace(event, open=open_, document=document)


FLEET = fleet_of(opened(), *ordered("r-1"))
HAVE = (OrgRegistered("basic"), registering(), registered())


def worded(*parts: CustomPart, enabled: bool = True) -> ToolCustomized:
    return ToolCustomized("book", enabled, None, parts)


def wanted(state: Toolset, fleet: Fleet = FLEET) -> WantedTool:
    (tool,) = wanted_of(state, fleet, ORG, after(0)).tools
    return tool


def steps(state: Toolset, fleet: Fleet = FLEET) -> list[UpdateTool]:
    looked = wanted_of(state, fleet, ORG, after(0))
    made = next_steps(Situation(state, {}, looked, after(0), POLICY, RunProgress(), ACCOUNT))
    return [step for step in made.steps if isinstance(step, UpdateTool)]


def started(tool: WantedTool, attempt: int = 101) -> ToolUpdateStarted:
    return replace(updating(attempt, tool), overlay=tool.overlay)


def done(state: Toolset, tool: WantedTool, attempt: int = 101) -> Toolset:
    """The state after the update was announced and answered."""
    state = then(state, *decide_told(state, started(tool, attempt)))
    return then(state, *decide_told(state, ConfirmTool(uid(attempt), "t-1", "answer", adopted=False)))


def settled(*events: Event) -> Toolset:
    """Everything that concerns all of the clinic is looked through."""
    state = given(*events)
    return then(state, OrgSettled(state.position))


def test_words_are_one_update_in_the_saves_lane_and_then_nothing() -> None:
    state = settled(*HAVE, worded(SUFFIX, MESSAGES))
    (step,) = steps(state)
    assert (step.tool.overlay, step.lane) == ((SUFFIX, MESSAGES), "save")
    state = done(state, step.tool)
    assert state.overlays == {"book": (SUFFIX, MESSAGES)}
    assert steps(state) == []
    assert decide(state, started(step.tool, 102)) == ()


def test_a_change_by_words_alone_is_told_as_a_setting_and_no_repair() -> None:
    state = settled(*HAVE, worded(SUFFIX))
    (event,) = decide_told(state, started(wanted(state)))
    assert isinstance(event, ToolUpdateStarted)
    assert (event.cause, event.version_before, event.overlay) == ("setting", 1, (SUFFIX,))


def test_a_part_that_the_version_does_not_declare_open_is_ignored_and_costs_nothing() -> None:
    closed = fleet_of(opened(open_=()), *ordered("r-1"))
    state = settled(*HAVE, worded(SUFFIX))
    assert (wanted(state, closed).overlay, steps(state, closed)) == ((), [])


def test_a_later_version_takes_it_again_and_one_that_has_no_room_does_not() -> None:
    state = done(settled(*HAVE, worded(SUFFIX)), wanted(settled(*HAVE, worded(SUFFIX))))
    closing = fleet_of(opened(), *ordered("r-1"), opened(2, ()), *ordered("r-2", 2))
    assert wanted(state, closing).overlay == ()
    full = fleet_of(opened(), *ordered("r-1"), opened(2, description="x" * 959), *ordered("r-2", 2))
    assert wanted(state, full).overlay == ()
    fits = fleet_of(opened(), *ordered("r-1"), opened(2, description="x" * 958), *ordered("r-2", 2))
    assert wanted(state, fits).overlay == (SUFFIX,)


def test_switched_off_and_on_the_tool_comes_back_with_its_words_and_without_a_write() -> None:
    state = settled(*HAVE, worded(SUFFIX))
    state = done(state, wanted(state))
    state = then(state, worded(SUFFIX, enabled=False))
    assert wanted_of(state, FLEET, ORG, after(0)).tools == ()
    gone = state.tools["book"]
    state = then(state, ToolRetired(ACCOUNT, *gone.fields, "setting", after(9)), worded(SUFFIX))
    version = version_given(state, FLEET, ORG, "book", after(0))
    assert (state.overlays, version is not None) == ({"book": (SUFFIX,)}, True)


def test_a_setting_without_words_takes_them_away_and_one_that_is_taken_back_too() -> None:
    state = given(*HAVE, worded(SUFFIX))
    for event in (ToolSettingChanged("book", True), ToolSettingRemoved("book", None), OrgClosed()):
        assert then(state, event).custom == {}


def test_a_lost_text_takes_its_part_alone_and_only_while_it_is_set() -> None:
    state = given(*HAVE, worded(SUFFIX, MESSAGES))
    lost = ToolTextLost("book", ("hash-suffix",))
    assert decide(state, lost) == (lost,)
    assert then(state, lost).custom == {"book": (MESSAGES,)}
    assert decide(then(state, lost), lost) == ()


def test_words_that_were_set_again_meanwhile_are_not_lost() -> None:
    state = given(*HAVE, worded(SUFFIX))
    lost = ToolTextLost("book", ("hash-suffix",), state.position)
    assert decide(state, lost) == (lost,)
    again = then(state, worded(SUFFIX))
    assert decide(again, lost) == ()
    assert then(again, lost).custom == {"book": (SUFFIX,)}  # written by who had not read that


def test_words_that_vapi_refuses_are_not_sent_again_and_other_words_are() -> None:
    state = settled(*HAVE, worded(SUFFIX))
    tool = wanted(state)
    state = then(state, *decide_told(state, started(tool)))
    refused = FailStep(tool_subject("book"), uid(101), "refused", "TS-301", None, tool.definition_hash)
    state = then(state, *decide(state, refused))
    assert steps(state) == []
    state = then(state, worded(OTHER))
    state = then(state, OrgSettled(state.position))
    assert [step.tool.overlay for step in steps(state)] == [(OTHER,)]


def test_an_update_of_an_older_release_brings_no_words_so_they_are_brought_again() -> None:
    state = settled(*HAVE, worded(SUFFIX))
    state = done(state, wanted(state))
    tool = wanted(state)
    bare = ToolUpdated(uid(102), ACCOUNT, "book", "t-1", 1, tool.definition_hash, "answer")
    assert [step.tool.overlay for step in steps(then(state, bare))] == [(SUFFIX,)]


BASIS = SettingBasis(True, False, ("book",), True, None, 7, (SUFFIX,))


def test_a_wish_without_words_keeps_them_and_an_empty_one_takes_them_away() -> None:
    assert decide_setting(BASIS, "book", SettingWish(True, None)) is None
    assert decide_setting(BASIS, "book", SettingWish(False, None)) == worded(SUFFIX, enabled=False)
    assert decide_setting(BASIS, "book", SettingWish(True, None, custom=())) == ToolSettingChanged("book", True, None)
    assert decide_setting(BASIS, "book", SettingWish(True, None, custom=(OTHER,))) == worded(OTHER)
    assert decide_setting(BASIS, "book", SettingWish(True, None, custom=(SUFFIX,))) is None


def test_words_whose_text_was_lost_are_set_anew_by_the_same_wish() -> None:
    lossy = replace(BASIS, custom=(), is_lossy=True)
    assert decide_setting(lossy, "book", SettingWish(True, None, custom=(SUFFIX,))) == worded(SUFFIX)
    assert decide_setting(lossy, "book", SettingWish(True, None, custom=())) == ToolSettingChanged("book", True, None)
    assert decide_setting(lossy, "book", SettingWish(True, None)) is None
