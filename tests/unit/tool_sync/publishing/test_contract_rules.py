"""A tool that assistant-api answers: what the model is told to send is what the contract takes."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel, ConfigDict

from tool_sync.publishing.contract_rules import ANSWERED_CONTRACTS, KnownContract, argument_problems
from tool_sync.publishing.examples import NoExample, examples_of
from tool_sync.publishing.schema_rules import FORMATS, schema_problems
from zerotouch_contracts.tools import ANSWERED

from .files import BOOKING, DIRECTIONS, places, report_of, said

CHECKED_FORMATS = ("date", "email", "ipv4", "ipv6", "uuid")
"""Those that `jsonschema` judges without further packages; its ``time`` is that of draft 3, without a zone."""
OWN = ANSWERED_CONTRACTS["bookClinicAppointment", 2].schema


def booking_with(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """The booking tool by the contract's own schema, but for these properties."""
    schema = {**OWN, "properties": {**OWN["properties"], **properties}, "required": [*OWN["required"], *required]}
    return BOOKING | {"parameters": schema}


async def test_every_contracts_own_schema_passes_written_out_or_left_out() -> None:
    assert {(one.name, one.contract) for one in ANSWERED} == ANSWERED_CONTRACTS.keys()
    for (name, number), contract in ANSWERED_CONTRACTS.items():
        document = {"name": name, "contract": number, "description": "Does something."}
        assert await said(document) == []
        assert await said(document | {"parameters": dict(contract.schema)}) == []


async def test_what_the_contract_needs_must_be_asked_for() -> None:
    without = {**OWN, "properties": {k: v for k, v in OWN["properties"].items() if k != "patientPhone"}}
    without["required"] = [name for name in OWN["required"] if name != "patientPhone"]
    assert await said(BOOKING | {"parameters": without}) == [
        "parameters.required: lacks 'patientPhone', which the contract needs; add it, and its property"
    ]
    optional = {**OWN, "required": ["service"]}
    assert len(await said(BOOKING | {"parameters": optional})) == len(OWN["required"]) - 1


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, '"Anna Example"'),
        ({"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$"}, '"9:30"'),
        ({"type": "string", "format": "time"}, '"14:30:00Z"'),
        ({"type": "string", "enum": ["09:30", "morning"]}, '"morning"'),
        ({"type": "integer"}, "1"),
        ({"type": "array", "items": {"type": "string", "enum": ["09:30"]}}, '["09:30"]'),
        ({"type": "object", "properties": {"hour": {"type": "integer"}}}, '{"hour":1}'),
    ],
)
async def test_what_the_contract_refuses_must_not_be_asked_for(schema: dict[str, Any], value: str) -> None:
    (problem,) = await said(booking_with(appointmentTime=schema))
    assert problem.startswith(f"parameters.properties.appointmentTime: allows {value}, which the contract refuses (")
    assert '"pattern":"^([01][0-9]|2[0-3]):[0-5][0-9]$"' in problem


async def test_a_pattern_that_no_example_matches_cannot_be_checked() -> None:
    (problem,) = await said(booking_with(service={"type": "string", "pattern": "^zzz[0-9]{17}$"}))
    assert problem.startswith("parameters.properties.service: matches no example, so it cannot be checked; write {")


async def test_what_the_contract_does_not_read_is_a_warning() -> None:
    report = await report_of(booking_with(insurance={"type": "string"}))
    assert (report.problems, [str(one) for one in report.warnings]) == (
        (),
        ["parameters.properties.insurance: is asked of callers, and the contract does not read it; leave it out"],
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            BOOKING | {"contract": 9},
            "contract: is none that assistant-api has for 'bookClinicAppointment'; write 1 or 2",
        ),
        (
            BOOKING | {"name": "bookClinicApointment"},
            "contract: is none that assistant-api has for 'bookClinicApointment';"
            " write 'bookClinicAppointment' as the name, or 0 here where another service answers",
        ),
        (
            BOOKING | {"server_url": "https://directions.example/x"},
            "server_url: is named, and assistant-api answers; leave it out, or write contract = 0",
        ),
        (
            BOOKING | {"static_parameters": {"notes": "x"}},
            "static_parameters.notes: is a call's argument, too, and would replace it; rename one of the two",
        ),
    ],
)
async def test_a_contract_is_known_and_answers_at_our_own_address(document: dict[str, Any], expected: str) -> None:
    assert await said(document) == [expected]


async def test_where_another_service_answers_address_and_schema_are_named() -> None:
    document = {key: value for key, value in DIRECTIONS.items() if key not in ("server_url", "parameters")}
    assert await places(document) == ["parameters", "server_url"]


TEXT: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "format": st.sampled_from(FORMATS),
        "pattern": st.sampled_from(["[0-9]", r"\S", "^[A-Z]", "^.{3,9}$", "^zz$", ":"]),
        "description": st.just("A text."),
    },
) | st.fixed_dictionaries(
    {"type": st.just("string"), "enum": st.lists(st.sampled_from(["a", "b", "c:1"]), min_size=1, unique=True)}
)
NAMES = st.sampled_from(["one", "two", "three"])


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A schema of an object, some of whose properties are required."""
    properties = draw(st.dictionaries(NAMES, inner, max_size=3))
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    return {"type": "object", "properties": properties, "required": required}


PROPERTIES = st.recursive(
    TEXT | st.sampled_from([{"type": kind} for kind in ("integer", "number", "boolean")]),
    lambda inner: objects(inner) | st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(objects(PROPERTIES))
def test_every_example_is_one_that_the_schema_allows(schema: dict[str, Any]) -> None:
    if schema_problems(schema):
        return  # nested too deep
    validator = Draft202012Validator(schema, format_checker=FormatChecker(CHECKED_FORMATS))
    with suppress(NoExample):
        examples = list(examples_of(schema))
        assert examples == list(examples_of(schema))
        for example in examples:
            validator.validate(example)
            assert example.keys() <= schema["properties"].keys()


class ThreeArguments(BaseModel):
    """A contract whose needs differ from property to property."""

    model_config = ConfigDict(strict=True, extra="ignore")

    one: str
    two: int | None = None
    three: list[str] | None = None


THREE = KnownContract(
    ThreeArguments,
    {
        "properties": {"one": {"type": "string"}, "two": {"type": "integer"}, "three": {"type": "array"}},
        "required": ["one"],
    },
)


@settings(max_examples=150, deadline=None)
@given(objects(PROPERTIES), st.data())
def test_what_passes_is_taken_by_the_contract(schema: dict[str, Any], data: st.DataObject) -> None:
    """The other way round than the product: any value of the schema's types, not those of its own examples."""
    schema = {**schema, "properties": {"one": {"type": "string"}} | schema["properties"]}
    schema["required"] = ["one", *(name for name in schema["required"] if name != "one")]
    if schema_problems(schema) or argument_problems(schema, THREE):
        return
    given_by_model = {name: data.draw(value_of(one)) for name, one in schema["properties"].items()}
    ThreeArguments.model_validate(given_by_model)  # raises where it is refused


def value_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema's type, without its patterns and formats, which this contract does not look at."""
    match schema["type"]:
        case "string":
            return st.sampled_from(schema["enum"]) if "enum" in schema else st.text(st.characters(codec="utf-8"))
        case "integer":
            return st.integers()
        case "number":
            return st.floats(allow_nan=False) | st.integers()
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(value_of(schema["items"]), max_size=2)
        case _:
            return st.fixed_dictionaries({name: value_of(one) for name, one in schema["properties"].items()})


def test_each_value_is_tried_once_in_an_otherwise_whole_example() -> None:
    listed = {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}
    schema = {"type": "object", "properties": {"one": listed, "two": {"type": "boolean"}}, "required": ["two"]}
    assert list(examples_of(schema)) == [
        {"one": ["a"], "two": True},
        {"two": True},
        {"one": [], "two": True},
        {"one": ["b"], "two": True},
        {"one": ["a"], "two": False},
    ]
