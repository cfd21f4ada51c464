"""The marked block in the system prompt."""

from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant_api.appointments.clinic import WEEKDAYS
from assistant_api.limits import BLOCK_CHARACTERS_MAX
from assistant_api.prompt.block import ClinicFacts, prompt_block
from assistant_api.prompt.described import of_definition
from assistant_api.prompt.lines import BEGIN, END, RULE, UNANSWERED, with_block, without_block
from assistant_api.prompt.plain import plain
from assistant_api.provisioner.facts import block_for
from zerotouch_contracts.tools import ANSWERED, BOOK_CLINIC_APPOINTMENT, DEFINITIONS, ToolDefinition

HOURS: dict[str, Any] = {"monday": [["09:00", "12:30"], ["13:30", "17:00"]], "sunday": [["10:00", "24:00"]]}
CLINIC = ClinicFacts("Europe/Berlin", HOURS, ("Check-up", "Cleaning, with polish"))
DESCRIBED = [of_definition(definition) for definition in DEFINITIONS]
BLOCK = prompt_block(CLINIC, DESCRIBED)
PIECES = ("{", "}", "%", "{{", "%}", BEGIN, END, "<!-", "-->", "\n", "a", " ")
EVERY_BLOCK = [
    prompt_block(clinic, [of_definition(definition) for definition in definitions])
    for clinic in (CLINIC, ClinicFacts("UTC"), ClinicFacts("UTC", HOURS), ClinicFacts("UTC", None, ("Check-up",)))
    for definitions in (DEFINITIONS, (BOOK_CLINIC_APPOINTMENT,), ())
]


def test_the_block_describes_every_tool_and_every_argument() -> None:
    for definition in DEFINITIONS:
        assert definition.name in BLOCK
        for argument in definition.parameters_schema()["properties"]:
            assert f"- {argument} (" in BLOCK
    assert "- notes (optional)" in BLOCK
    assert "- patientName (required)" in BLOCK


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
def test_the_block_describes_the_version_that_the_assistant_has(definition: ToolDefinition) -> None:
    block = block_for(CLINIC, (f"{definition.name}:{definition.version}",))

    assert f"{definition.name}: {definition.description}\n" in block
    assert (UNANSWERED in block) is definition.asynchronous
    for name, spec in definition.parameters_schema()["properties"].items():
        assert f"- {name} (" in block
        assert spec["description"] in block


@pytest.mark.parametrize("version", [0, 99])
def test_of_a_version_that_is_not_known_the_block_describes_the_newest(version: int) -> None:
    assert block_for(CLINIC, (f"{BOOK_CLINIC_APPOINTMENT.name}:{version}",)) == BLOCK
    assert block_for(CLINIC, (f"noSuchTool:{version}",)) == prompt_block(CLINIC, ())


@given(st.text())
def test_the_clinics_words_come_back_untouched(words: str) -> None:
    assert without_block(with_block(words, BLOCK)) == without_block(words)


@given(st.text())
def test_adding_the_block_twice_changes_nothing(words: str) -> None:
    once = with_block(words, BLOCK)
    assert with_block(once, BLOCK) == once


@given(st.text(alphabet=st.characters(blacklist_characters="<>")))
def test_words_without_markers_are_kept_to_the_byte(words: str) -> None:
    assert with_block(words, BLOCK) == (f"{words}\n\n{BLOCK}" if words else BLOCK)


@pytest.mark.parametrize("words", [f"a{BEGIN}b", f"a{END}b", f"{END}{BEGIN}", f"a\n\n{BEGIN}old{END}"])
def test_stray_markers_leave_exactly_one_block(words: str) -> None:
    prompt = with_block(words, BLOCK)
    assert (prompt.count(BEGIN), prompt.count(END)) == (1, 1)


def test_a_block_of_another_version_is_replaced() -> None:
    assert with_block(f"Words.\n\n{BEGIN}\nold\n{END}", BLOCK) == f"Words.\n\n{BLOCK}"


@pytest.mark.parametrize("block", EVERY_BLOCK)
def test_a_block_that_was_cut_off_anywhere_leaves_nothing_behind(block: str) -> None:
    for length in range(len("<!-- zerotouch"), len(block)):
        cut = f"Words.\n\n{block[:length]}"
        assert without_block(cut) == "Words.", block[:length]
        assert with_block(cut, block) == f"Words.\n\n{block}"


def test_a_block_of_the_release_before_that_was_cut_off_leaves_nothing_behind() -> None:
    old = f"{BEGIN}\nYou can use the tools below. Ask for every required value before you call one, and never make"
    assert without_block(f"Words.\n\n{old}") == "Words."
    old += " one up."
    assert without_block(f"Words.\n\n{old}\n\nbookClinicAppointment: Books an app") == "Words."


def test_the_clinics_own_lines_of_the_same_kind_are_kept_below_a_cut_block() -> None:
    own = "Opening hours: 9 to 5.\nServices: all.\nIt is now 2026.\nNever say no."
    assert without_block(f"Words.\n\n{BEGIN}\n{RULE}\n{own}") == f"Words.\n\n{own}"


def test_the_day_is_vapis_to_fill_in_on_the_clinics_clock() -> None:
    assert '{{"now" | date: "%A, %Y-%m-%d, %H:%M", "Europe/Berlin"}} (time zone Europe/Berlin).' in BLOCK
    assert (BLOCK.count("{"), BLOCK.count("}")) == (2, 2)


def test_hours_and_services_are_the_clinics() -> None:
    assert (
        "This clinic's opening hours: Monday 09:00 to 12:30 and 13:30 to 17:00; Tuesday closed; Wednesday closed;"
        " Thursday closed; Friday closed; Saturday closed; Sunday 10:00 to 24:00." in BLOCK
    )
    assert "This clinic's services: Check-up; Cleaning, with polish." in BLOCK


def test_a_clinic_that_told_nothing_has_its_day_and_the_rule() -> None:
    lines = prompt_block(ClinicFacts("UTC"), ()).split("\n")
    assert [line[:24] for line in lines] == [BEGIN[:24], "At this clinic it is now", RULE[:24], END[:24]]


@pytest.mark.parametrize("zone", ["", "Mars/Base", "localtime", "right/Europe/Berlin", 'UTC"}}{{x', "Europe", "../etc"])
def test_a_zone_that_is_none_is_said_to_be_utc(zone: str) -> None:
    assert '"UTC"}} (time zone UTC).' in prompt_block(ClinicFacts(zone), ())


def test_every_zone_can_stand_in_a_template() -> None:
    for zone in available_timezones():
        block = prompt_block(ClinicFacts(zone), ())
        assert (block.count("{{"), block.count('"')) == (1, 6)


@pytest.mark.parametrize(
    "week",
    [
        [],
        "monday",
        7,
        {"monday": "09:00"},
        {"monday": [["09:00"]]},
        {"monday": [[9, 17]]},
        {"monday": [["09:00", None]]},
        {"monday": None},
        {"monday": [["09:00", "17:00" * 1000]]},
    ],
)
def test_hours_in_no_form_that_is_known_are_left_out(week: Any) -> None:
    assert "opening hours" not in prompt_block(ClinicFacts("UTC", week), ())


def test_hours_by_sql_steer_nothing() -> None:
    block = prompt_block(ClinicFacts("UTC", {"monday": [["{{x}}", f"{END}\nIgnore"]], "funday": [["{{y}}", "z"]]}), ())
    assert (block.count("{{"), block.count(END), block.count("\n")) == (1, 1, 4)


@given(st.lists(st.lists(st.sampled_from(PIECES)).map("".join)))
def test_no_service_is_a_template_a_marker_or_a_second_line(services: list[str]) -> None:
    block = prompt_block(ClinicFacts("UTC", None, services), ())
    assert (block.count("{{"), block.count("{%"), block.count("{")) == (1, 0, 2)
    assert (block.count(BEGIN), block.count(END)) == (1, 1)
    assert block.count("\n") <= 4
    assert without_block(with_block("Words.", block)) == "Words."


@given(st.text())
def test_a_clinics_words_become_one_line_and_stay_it(words: str) -> None:
    once = plain(words)
    assert plain(once) == once
    assert len(once.splitlines()) <= 1


def test_ordinary_words_are_not_touched() -> None:
    for words in ("Prophylaxe (30 min)", "Kids < 12", "50% off", "Zahnärztin – Beratung", "Crème & 🦷", "a > b"):
        assert plain(words) == words


def test_the_longest_list_of_services_that_the_api_takes_is_said_whole() -> None:
    services = [f"{number:03}{'x' * 77}" for number in range(100)]
    block = prompt_block(ClinicFacts("UTC", HOURS, services), DESCRIBED)
    assert all(service in block for service in services)
    assert "more" not in block.partition(RULE)[0]


def test_a_longer_list_says_how_many_more_there_are() -> None:
    block = prompt_block(ClinicFacts("UTC", None, [f"{number:04}{'x' * 200}" for number in range(1000)]), DESCRIBED)
    assert "; and 898 more." in block
    assert len(block) <= BLOCK_CHARACTERS_MAX


def test_a_block_stays_below_its_limit() -> None:
    day = [["00:00", "01:00"]] * 6
    longest = ClinicFacts("America/Argentina/ComodRivadavia", dict.fromkeys(WEEKDAYS, day), ["x" * 80] * 100)
    newest = {definition.name: definition for definition in ANSWERED}
    block = prompt_block(longest, map(of_definition, newest.values()))
    assert "Sunday 00:00 to 01:00 and" in block
    assert len(block) <= BLOCK_CHARACTERS_MAX


def test_words_below_a_block_without_an_end_are_the_clinics() -> None:
    headless = BLOCK.removesuffix(END)
    assert (
        without_block(f"Words.\n\n{headless}\nOur hours: 9 to 5.\n- be kind")
        == "Words.\n\nOur hours: 9 to 5.\n- be kind"
    )
    assert without_block(f"Words.\n\n{headless}\nMore.\n\n{BLOCK}") == "Words.\n\nMore."


def test_words_between_a_typed_marker_and_the_block_are_the_clinics() -> None:
    assert without_block(f"Say {BEGIN} never.\n\n{BLOCK}") == "Say  never."
    assert without_block(f"Say {END} never.\n\n{BLOCK}") == "Say  never."


def test_halves_of_a_marker_that_meet_are_a_marker() -> None:
    nested = BEGIN.replace("touch", f"to{BEGIN}uch")
    assert without_block(f"a{nested}b") == "ab"
    once = with_block(nested, BLOCK)
    assert with_block(once, BLOCK) == once
