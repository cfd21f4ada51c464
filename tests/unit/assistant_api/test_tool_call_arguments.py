"""Schema and validator say the same, and a refusal is written for a language model that must go on."""

import re
from typing import Any, Final, get_args
from uuid import UUID

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assistant_api.tool_calls.answers import CHARACTERS_MAX
from assistant_api.tool_calls.arguments import Fit, Unfit, check
from assistant_api.tool_calls.payload import ToolCall
from assistant_api.tool_calls.refusals import ARGUMENTS, Fault, FaultKind, explained, words_for
from zerotouch_contracts.tools import ANSWERED, DEFINITIONS, FIRST_VERSION_WITH_CONTRACT, ToolDefinition

ORG: Final = UUID(int=7)
TEXTS: Final = ("patientName", "patientPhone", "service", "notes")

REMAINDER: Final[dict[str, set[FaultKind]]] = {
    "patientName": {"missing", "too_long", "unreadable", "template_marks"},
    "patientPhone": {"missing", "too_long", "unreadable", "template_marks"},
    "service": {"missing", "too_long", "unreadable", "template_marks"},
    "notes": {"too_long", "unreadable", "template_marks"},
    "appointmentDate": {"no_such_day"},
    "newDate": {"no_such_day"},
    "appointmentTime": set(),
    "newTime": set(),
}
"""What the validator alone can know of a value that the registered schema accepts (`format` counts as checked).

`missing` is a text that says nothing. A length, a character that cannot be kept and a template mark have no key that
Vapi documents. What comes later, the calendar says with a reason of its own: no number, closed, taken, past, no such
service."""


def checked(definition: ToolDefinition, filled_in: dict[str, Any]) -> Fit | Unfit:
    static = {"organization_id": str(ORG), "definition_version": definition.version}
    found = check(ToolCall("call_1", definition.name, {**filled_in, **static}))
    assert isinstance(found, Fit | Unfit)
    return found


def faults_in(definition: ToolDefinition, unfit: Unfit) -> set[tuple[str, FaultKind]]:
    """The faults that an explanation tells, read back from its words."""
    names = definition.parameters_schema()["properties"]
    return {
        (name, kind)
        for name in names
        for kind in get_args(FaultKind)
        if words_for(Fault(name, kind)) in unfit.explanation
    }


def whole(definition: ToolDefinition) -> dict[str, Any]:
    """Arguments that fit."""
    return {name: ARGUMENTS[name].example for name in definition.parameters_schema()["properties"]}


def registered(definition: ToolDefinition) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        definition.parameters_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def _value(spec: dict[str, Any]) -> st.SearchStrategy[Any]:
    said = st.one_of(st.text(max_size=60), st.text("+-() /0123456789", max_size=20), st.text(max_size=1100))
    if spec.get("format") == "date":
        return st.dates().map(lambda day: day.isoformat())
    if "[01]" in spec.get("pattern", ""):
        return st.from_regex(spec["pattern"], fullmatch=True)
    return said.filter(lambda text: re.search(spec.get("pattern", ""), text) is not None)


@st.composite
def obedient(draw: st.DrawFn, definition: ToolDefinition) -> dict[str, Any]:
    """Whatever the registered schema accepts."""
    schema = definition.parameters_schema()
    filled_in = draw(
        st.dictionaries(st.text(max_size=12), st.none() | st.booleans() | st.integers() | st.text(), max_size=3)
    )
    for name, spec in schema["properties"].items():
        filled_in.pop(name, None)
        if name in schema["required"] or draw(st.booleans()):
            filled_in[name] = draw(_value(spec))
    registered(definition).validate(filled_in)
    return filled_in


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
def test_whatever_the_registered_schema_accepts_is_read_or_refused_for_a_listed_reason(
    definition: ToolDefinition,
) -> None:
    @settings(max_examples=200, deadline=None)
    @given(filled_in=obedient(definition))
    def holds(filled_in: dict[str, Any]) -> None:
        found = checked(definition, filled_in)
        if isinstance(found, Unfit):
            faults = faults_in(definition, found)
            assert faults
            assert {(name, kind) for name, kind in faults if kind not in REMAINDER[name]} == set()
            assert found.explanation == explained(sorted((Fault(*fault) for fault in faults), key=_order(definition)))

    holds()


def _order(definition: ToolDefinition) -> Any:
    names = list(definition.parameters_schema()["properties"])
    return lambda fault: names.index(fault.argument)


LISTED: Final[dict[FaultKind, str]] = {
    "missing": "?",
    "too_long": "1" * 1001,
    "unreadable": "1\x07",
    "template_marks": "{{ customer.number }} 1",
    "no_such_day": "2026-02-31",
}


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
def test_every_listed_reason_happens_to_a_value_that_the_schema_accepts(definition: ToolDefinition) -> None:
    """Otherwise the list would allow what never is, and hide what comes later. A day that is none is what a checker of
    `format` refuses; most models have none."""
    lax = jsonschema.Draft202012Validator(definition.parameters_schema())
    for name in definition.parameters_schema()["properties"]:
        for kind in REMAINDER[name] - ({"missing"} if name == "patientPhone" else set()):
            filled_in = {**whole(definition), name: LISTED[kind]}
            lax.validate(filled_in)
            found = checked(definition, filled_in)
            assert isinstance(found, Unfit)
            assert faults_in(definition, found) == {(name, kind)}


def test_a_blank_number_is_refused_where_the_first_versions_schema_accepts_it() -> None:
    definition = ANSWERED[0]
    filled_in = {**whole(definition), "patientPhone": " "}
    registered(definition).validate(filled_in)

    found = checked(definition, filled_in)

    assert isinstance(found, Unfit)
    assert faults_in(definition, found) == {("patientPhone", "missing")}


def with_static(definition: ToolDefinition, **static: Any) -> Fit | Unfit:
    given = {**whole(definition), "organization_id": str(ORG), **static}
    found = check(ToolCall("call_1", definition.name, given))
    assert isinstance(found, Fit | Unfit)
    return found


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
@pytest.mark.parametrize("version", [FIRST_VERSION_WITH_CONTRACT, 40, "41"])
def test_a_version_that_is_not_known_is_answered_by_its_contract(definition: ToolDefinition, version: Any) -> None:
    found = with_static(definition, definition_version=version, contract=definition.contract)

    assert isinstance(found, Fit)
    assert (found.version, type(found.arguments)) == (int(version), definition.arguments)


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
@pytest.mark.parametrize("contract", [0, 1, 2, 3, "1", None, {}])
def test_the_contract_of_a_known_version_is_not_even_looked_at(definition: ToolDefinition, contract: Any) -> None:
    plain = with_static(definition, definition_version=definition.version)

    assert with_static(definition, definition_version=definition.version, contract=contract) == plain


@pytest.mark.parametrize(
    ("version", "contract"),
    [
        (40, None),
        (40, 0),
        (40, 3),
        (40, -1),
        (40, True),
        (40, 1.0),
        (40, [1]),
        (10**9, 1),
        (0, 1),  # below the first that names a contract: the model may have said it
        (-3, 1),
        (None, 1),
        (True, 1),
    ],
)
def test_what_neither_version_nor_contract_answers_is_out_of_date(version: Any, contract: Any) -> None:
    found = with_static(DEFINITIONS[0], definition_version=version, contract=contract)

    assert isinstance(found, Unfit)
    assert (found.code, found.version) == ("unknown_version", None)


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
def test_examples_are_read(definition: ToolDefinition) -> None:
    registered(definition).validate(whole(definition))
    assert isinstance(checked(definition, whole(definition)), Fit)


def test_every_argument_of_every_tool_has_words_for_every_fault() -> None:
    names = {name for definition in ANSWERED for name in definition.parameters_schema()["properties"]}
    assert set(ARGUMENTS) == set(REMAINDER) == names
    for name in names:
        for kind in get_args(FaultKind):
            words = words_for(Fault(name, kind))
            assert words.startswith(name)
            assert words.isprintable()
            assert not words.endswith(".")
            assert not re.search(r"\\|\^|\[|\]|\{|\}", words)  # neither a pattern nor a template
            assert len(words) < 210


def test_a_call_in_which_all_is_wrong_is_answered_within_the_limit() -> None:
    for definition in ANSWERED:
        names = definition.parameters_schema()["properties"]
        longest = [
            max((Fault(name, kind) for kind in get_args(FaultKind)), key=lambda f: len(words_for(f))) for name in names
        ]
        assert len(explained(longest)) <= CHARACTERS_MAX


WORDS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "a day in another form": (
        {"appointmentDate": "5/6"},
        "appointmentDate: give the day as YYYY-MM-DD, for example 2026-12-03; ask the caller only if it is not clear"
        " which one is meant",
    ),
    "a day that is none": (
        {"appointmentDate": "2026-02-31"},
        "appointmentDate: the calendar does not have this day; ask the caller for the day of the appointment again and"
        " give the day as YYYY-MM-DD, for example 2026-12-03",
    ),
    "a time in words": (
        {"appointmentTime": "half past two"},
        "appointmentTime: give the time on the 24-hour clock as HH:MM, for example 09:30, or 14:30 for half past two;"
        " ask the caller only if it is not clear which one is meant",
    ),
    "a number as a number": (
        {"patientPhone": 301234567},
        'patientPhone: give it as text in quotation marks, for example "+49 30 1234567"',
    ),
    "no name": (
        {"patientName": None},
        "patientName is missing: ask the caller for the patient's full name and give the name alone",
    ),
    "a long note": ({"notes": "x" * 1001}, "notes is too long: say it in fewer words, or leave it out"),
    "a template": (
        {"service": "{{ service }}"},
        "service: write it again without double curly brackets, and without one beside a percent sign",
    ),
    "half an emoji": ({"notes": "\ud83d"}, "notes has characters that cannot be kept: write it again without them"),
}


@pytest.mark.parametrize(("change", "words"), WORDS.values(), ids=WORDS.keys())
def test_what_the_model_hears(change: dict[str, Any], words: str) -> None:
    (definition,) = DEFINITIONS

    found = checked(definition, {**whole(definition), **change})

    assert isinstance(found, Unfit)
    assert found.explanation == f"Nothing was done. {words}. Then call the tool again with all values."


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
LIBRARY: Final = re.compile(
    r"\b(input|should|valid|string|pattern|match|field|type|pydantic|error|integer|dictionary|characters? at|"
    r"constraint|unicode|parse|null|none)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
def test_no_word_of_a_library_reaches_the_model_whatever_it_fills_in(definition: ToolDefinition) -> None:
    names = list(definition.parameters_schema()["properties"])

    @settings(max_examples=300, deadline=None)
    @given(filled_in=st.dictionaries(st.sampled_from(names) | st.text(max_size=5), JSON, max_size=8))
    @example(filled_in={})
    @example(filled_in=dict.fromkeys(names, "9" * 5000))
    def holds(filled_in: dict[str, Any]) -> None:
        found = checked(definition, filled_in)
        if isinstance(found, Unfit):
            faults = faults_in(definition, found)
            assert found.explanation == explained(sorted((Fault(*fault) for fault in faults), key=_order(definition)))
            assert not LIBRARY.search(found.explanation)

    holds()
