"""What is published decides what a prompt says of a tool, and by which contract its calls are answered."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant_api.limits import BLOCK_CHARACTERS_MAX
from assistant_api.prompt.block import ClinicFacts
from assistant_api.prompt.lines import (
    BEGIN,
    END,
    FIRST_LINE,
    PERHAPS_UNANSWERED,
    RULE,
    UNANSWERED,
    with_block,
    without_block,
)
from assistant_api.provisioner.facts import block_for
from assistant_api.published.known import NOTHING, Published, unheard
from assistant_api.tool_calls.arguments import Fit, Foreign, Unfit, check
from assistant_api.tool_calls.payload import ToolCall
from assistant_api.tool_calls.refusals import ARGUMENTS
from zerotouch_contracts.tools import (
    ANSWERED,
    BOOK_CLINIC_APPOINTMENT,
    BOOK_CLINIC_APPOINTMENT_V2,
    CANCEL_APPOINTMENT_V2,
    ToolDefinition,
)

from .published_tools import DIRECTIONS, known, of, tool, version

BOOKING = BOOK_CLINIC_APPOINTMENT.name
CLINIC = ClinicFacts("Europe/Berlin", services=("Check-up",))
SENDS = "sendDirections"


def block(tools: list[str], published: Published = NOTHING) -> str:
    return block_for(CLINIC, tools, published)


def about(name: str, text: str) -> list[str]:
    """The lines of a block that describe a tool."""
    _, _, rest = text.partition(f"\n\n{name}:")
    lines = f"{name}:{rest}".split("\n")
    return lines[: next(n for n, line in enumerate(lines) if line in {"", END})]


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
def test_of_what_this_release_knows_as_it_was_published_not_a_byte_changes(definition: ToolDefinition) -> None:
    named = [f"{definition.name}:{definition.version}"]
    assert block(named, known(tool(definition.name, of(definition)))) == block(named)


def test_a_version_that_was_published_at_run_time_is_described_in_its_own_words() -> None:
    published = known(tool(BOOKING, of(BOOK_CLINIC_APPOINTMENT_V2, 3, description="Books, and says hello first.")))
    lines = about(BOOKING, block([f"{BOOKING}:3"], published))
    assert lines[0] == f"{BOOKING}: Books, and says hello first."
    assert lines[1:] == about(BOOKING, block([f"{BOOKING}:2"]))[1:], "the arguments in the order of its contract"


def test_a_tool_of_another_service_is_described_with_what_must_be_asked_first() -> None:
    assert about(SENDS, block([f"{SENDS}:1"], known(tool(SENDS, version(1))))) == [
        f"{SENDS}: Sends the way, version 1.",
        "- channel (required): Where to send it.",
        "- to (required): The number or address.",
        "- note (optional)",
    ]


def test_a_tool_that_nobody_told_us_of_has_no_line_and_one_of_ours_the_newest_that_is_known() -> None:
    assert block([f"{SENDS}:1"]) == block([])
    assert block([f"{BOOKING}:9"]) == block([f"{BOOKING}:2"])
    assert block([f"{BOOKING}:9"], known(tool(SENDS, version(1)))) == block([f"{BOOKING}:2"])


def test_a_version_of_the_same_number_as_a_releases_is_what_was_published() -> None:
    other = of(CANCEL_APPOINTMENT_V2, 2, description="Cancels, as published.")
    lines = about("cancelAppointment", block(["cancelAppointment:2"], known(tool("cancelAppointment", other))))
    assert lines[0] == "cancelAppointment: Cancels, as published."


def test_with_a_version_that_never_answers_the_model_is_told_not_to_wait_and_not_to_claim() -> None:
    published = known(tool(BOOKING, of(BOOK_CLINIC_APPOINTMENT_V2, 3, asynchronous=True)))
    text = block([f"{BOOKING}:3"], published)
    assert about(BOOKING, text)[1] == UNANSWERED
    assert RULE in text


@pytest.mark.parametrize("current", [{"ordered": True}, {"ordered": False, "held": True}], ids=["ordered", "held"])
def test_where_a_clinic_may_have_such_a_version_the_block_says_what_is_true_of_both(current: dict[str, bool]) -> None:
    answers, never = of(BOOK_CLINIC_APPOINTMENT_V2), of(BOOK_CLINIC_APPOINTMENT_V2, 3, asynchronous=True, **current)
    published = known(tool(BOOKING, answers, never))
    lines = about(BOOKING, block([f"{BOOKING}:2"], published))
    assert lines[1] == PERHAPS_UNANSWERED
    assert [lines[0], *lines[2:]] == about(BOOKING, block([f"{BOOKING}:2"]))
    assert about(BOOKING, block([f"{BOOKING}:3"], published))[1] == UNANSWERED
    assert PERHAPS_UNANSWERED not in block(["cancelAppointment:2"], published), "another tool is another matter"


def test_a_version_that_never_answers_and_that_no_clinic_can_have_changes_nothing() -> None:
    past = of(BOOK_CLINIC_APPOINTMENT, ordered=False)
    published = known(tool(BOOKING, past, of(BOOK_CLINIC_APPOINTMENT_V2)))
    assert block([f"{BOOKING}:2"], published) == block([f"{BOOKING}:2"])


def test_where_one_version_is_left_the_clinic_has_that_one_whatever_its_last_outcome_said() -> None:
    old, new = of(BOOK_CLINIC_APPOINTMENT_V2, ordered=False), of(BOOK_CLINIC_APPOINTMENT_V2, 3, description="New.")
    published = known(tool(BOOKING, old, new))
    assert about(BOOKING, block([f"{BOOKING}:2"], published))[0] == f"{BOOKING}: New."
    assert block([f"{BOOKING}:0"], published) == block([f"{BOOKING}:3"], published)
    two = known(tool(BOOKING, of(BOOK_CLINIC_APPOINTMENT_V2, held=True, ordered=False), new))
    assert block([f"{BOOKING}:2"], two) == block([f"{BOOKING}:2"]), "some clinic still has it"
    none = known(tool(BOOKING, old, new.model_copy(update={"ordered": False})))
    assert block([f"{BOOKING}:2"], none) == block([f"{BOOKING}:2"])


def test_of_a_version_that_was_left_out_the_model_is_told_the_most_careful() -> None:
    lines = about(SENDS, block([f"{SENDS}:7"], known(tool(SENDS, version(8, ordered=False), omitted=7))))
    assert lines[:2] == [f"{SENDS}: Sends the way, version 8.", PERHAPS_UNANSWERED]


PIECES = ("{", "}", "%", "{{", "%}", BEGIN, END, "<!-", "-->", "\n", "\n\n", "a: ", "- b (required): ", "\u202e", " ")
TEXTS = st.lists(st.sampled_from(PIECES)).map("".join)


@given(TEXTS, TEXTS)
def test_no_published_text_is_a_template_a_marker_or_a_second_line(description: str, argument: str) -> None:
    schema = {"type": "object", "properties": {"to": {"type": "string", "description": argument}}}
    text = block([f"{SENDS}:1"], known(tool(SENDS, version(1, description=description, parameters=schema))))
    assert (text.count("{{"), text.count("{%"), text.count("{")) == (1, 0, 2)
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert len(about(SENDS, text)) == 2
    assert without_block(with_block("Words.", text)) == "Words."


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"properties": []},
        {"properties": {"a": None, "b": {"description": 7}}, "required": "a"},
        {"properties": {"a": {}}, "required": [7, "nobody"]},
    ],
)
def test_a_schema_of_another_form_is_described_as_far_as_it_goes(parameters: Any) -> None:
    text = block([f"{SENDS}:1"], known(tool(SENDS, version(1, parameters=parameters))))
    assert f"{SENDS}: Sends the way, version 1." in text


def test_a_block_of_the_longest_tools_stays_below_its_limit_and_still_names_each_and_warns() -> None:
    properties = {f"p{n}": {"type": "string", "description": "x" * 900} for n in range(15)}
    schema = {"type": "object", "properties": properties, "required": ["p0"]}
    large = {"description": "d" * 1000, "parameters": schema, "asynchronous": True}
    names = [f"tool{n:02}" for n in range(20)]
    clinic = ClinicFacts("UTC", None, ["x" * 80] * 100)
    published = known(*(tool(name, version(1, **large)) for name in names))
    text = block_for(clinic, [f"{name}:1" for name in names], published)
    assert len(text) <= BLOCK_CHARACTERS_MAX
    assert all(f"\n{name}:" in text for name in names)
    assert text.count(UNANSWERED) == len(names)
    many = known(*(tool(f"t{n:03}", version(1, **{**large, "asynchronous": n > 190})) for n in range(200)))
    text = block_for(clinic, [f"t{n:03}:1" for n in range(200)], many)
    assert len(text) <= BLOCK_CHARACTERS_MAX
    assert text.count(UNANSWERED) == 9, "who must not wait is told so before others are named"


def test_arguments_that_do_not_fit_are_left_out_whole_and_those_of_the_others_stay() -> None:
    huge = {"type": "object", "properties": {f"p{n}": {"description": "x" * 900} for n in range(15)}}
    published = known(tool("aaa", version(1, parameters=huge)), tool(SENDS, version(1)))
    text = block(["aaa:1", f"{SENDS}:1"], published)
    assert about("aaa", text) == ["aaa: Sends the way, version 1."]
    assert len(about(SENDS, text)) == 4


def test_a_block_with_tools_of_others_that_was_cut_off_anywhere_leaves_nothing_behind() -> None:
    published = known(
        tool(SENDS, version(1)), tool("a.b-c".replace(".", "_"), version(1, parameters=None, asynchronous=True))
    )
    whole = block([f"{SENDS}:1", "a_b-c:1", f"{BOOKING}:2"], published)
    for length in range(len("<!-- zerotouch"), len(whole)):
        cut = f"Words.\n\n{whole[:length]}"
        assert with_block(cut, whole) == f"Words.\n\n{whole}", whole[:length]


def test_a_cut_block_of_a_tool_that_is_gone_leaves_no_whole_line_behind_and_the_clinics_lines_stay() -> None:
    whole = block([f"{SENDS}:1"], known(tool(SENDS, version(1))))
    cut = f"Words.\n\n{whole.removesuffix(END)}"
    assert without_block(cut) == "Words."
    own = "Important: be kind.\nHours: nine to five.\n- be quick"
    assert without_block(f"{cut}\n{own}") == f"Words.\n\n{own}"
    assert without_block(f"Words.\n\n{BEGIN}\n{FIRST_LINE}\n\n{own}") == f"Words.\n\n{own}"


def test_what_is_lacking_is_a_contract_of_ours_that_a_clinic_may_have() -> None:
    new = {"ordered": False, "held": False}
    published = known(
        tool(BOOKING, of(BOOK_CLINIC_APPOINTMENT), of(BOOK_CLINIC_APPOINTMENT_V2, 3, contract=7)),
        tool("cancelAppointment", of(CANCEL_APPOINTMENT_V2, 3, contract=8, **new)),
        tool(SENDS, version(1)),
    )
    assert published.lacking == ((BOOKING, 7),)
    held = known(tool("cancelAppointment", of(CANCEL_APPOINTMENT_V2, 3, contract=8, ordered=False, held=True)))
    assert held.lacking == (("cancelAppointment", 8),)
    assert NOTHING.lacking == ()


def test_unheard_are_those_that_an_order_may_give() -> None:
    said = tool(
        SENDS,
        version(1, asynchronous=True),
        version(2, asynchronous=True, ordered=False, held=True),
        version(3),
    )
    assert unheard(said) == {1}
    assert unheard(None) == frozenset()


def call(name: str, number: Any, **static: Any) -> Fit | Unfit | Foreign:
    given = {one: ARGUMENTS[one].example for one in CANCEL_APPOINTMENT_V2.parameters_schema()["properties"]}
    return check(
        ToolCall("c", name, {**given, "organization_id": str(UUID(int=7)), "definition_version": number, **static}),
        published_contracts,
    )


def published_contracts(name: str, number: int) -> int | None:
    published = known(
        tool(
            "cancelAppointment",
            of(CANCEL_APPOINTMENT_V2),
            of(CANCEL_APPOINTMENT_V2, 3),
            of(CANCEL_APPOINTMENT_V2, 4, contract=0),
            of(CANCEL_APPOINTMENT_V2, 5, contract=9),
        )
    )
    return published.contract(name, number)


@pytest.mark.parametrize("said", [{}, {"contract": 1}, {"contract": 0}, {"contract": "9"}, {"contract": None}])
def test_a_version_is_answered_by_the_contract_that_it_was_published_with_whatever_the_tool_says(
    said: dict[str, Any],
) -> None:
    """Somebody who edits a tool at Vapi must not choose an older contract, by which nobody asks for the name."""
    found = call("cancelAppointment", 3, **said)
    assert isinstance(found, Fit)
    assert type(found.arguments) is CANCEL_APPOINTMENT_V2.arguments
    assert found.version == 3


@pytest.mark.parametrize("number", [4, 5])
def test_a_version_that_another_service_or_another_release_answers_is_not_answered_here(number: int) -> None:
    found = call("cancelAppointment", number, contract=2)
    assert isinstance(found, Unfit)
    assert found.code == "unknown_version"


def test_a_version_that_nobody_told_us_of_yet_is_answered_by_the_contract_that_it_names() -> None:
    found = call("cancelAppointment", 6, contract=2)
    assert isinstance(found, Fit)
    unnamed = call("cancelAppointment", 6)
    assert isinstance(unnamed, Unfit)


def test_the_sample_schema_is_one_that_a_file_may_have() -> None:
    assert set(DIRECTIONS["required"]) <= set(DIRECTIONS["properties"])
