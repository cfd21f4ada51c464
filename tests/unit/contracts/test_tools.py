"""The unified tool definition: what is registered, what is accepted in a call, and how a tool is known again."""

import re
from typing import Any
from uuid import UUID, uuid4

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zerotouch_contracts.arguments import BookClinicAppointment
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import (
    ANSWERED,
    BOOK_CLINIC_APPOINTMENT,
    DEFINITIONS,
    INSTALLATION_HEADER,
    STATIC_PARAMETERS,
    ToolDefinition,
    ToolMarker,
    contract_of,
    version_of,
)

ORG, INSTALLATION = UUID(int=7), UUID(int=8)
VAPI_PROPERTY_KEYS = {"type", "items", "properties", "description", "pattern", "format", "required", "enum", "title"}
"""What Vapi documents for a property (OpenAPI of 2026-08-20)."""
VAPI_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}

CALL: dict[str, Any] = {
    "patientName": "Ada Lovelace",
    "patientPhone": "+49 (30) 123-45.67",
    "service": "check-up",
    "appointmentDate": "2026-12-01",
    "appointmentTime": "09:30",
    "notes": "first visit",
}


def payload(definition: ToolDefinition, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"server_url": "https://hooks.example.test", "installation_id": INSTALLATION, **changes}
    return definition.vapi_payload(ORG, **given)


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
def test_a_definition_is_what_vapi_accepts(definition: ToolDefinition) -> None:
    body = payload(definition)

    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", definition.name)
    assert 0 < len(definition.description) < 1000  # longer ones are accepted, and the model quietly gets worse
    assert 1 <= definition.timeout_seconds <= 300
    assert set(body) == {"type", "async", "function", "server", "parameters"}
    parameters = body["function"]["parameters"]
    assert set(parameters) == {"type", "properties", "required"}
    for name, spec in parameters["properties"].items():
        assert re.fullmatch(r"[a-z][a-zA-Z]*", name)
        assert set(spec) <= VAPI_PROPERTY_KEYS
        assert spec["description"]
        assert spec.get("format", "date") in VAPI_FORMATS
    assert set(parameters["required"]) <= set(parameters["properties"])


NEWEST = {definition.name: definition for definition in ANSWERED}.values()


@pytest.mark.parametrize("definition", NEWEST, ids=lambda d: f"{d.name}-{d.version}")
def test_the_newest_version_of_every_tool_says_the_form_of_a_value_and_an_example(definition: ToolDefinition) -> None:
    schema = definition.parameters_schema()

    assert definition.version == 2
    for name in schema["required"]:
        spec = schema["properties"][name]
        assert "pattern" in spec, name
        assert not re.search(spec["pattern"], ""), name
        before, found, example = spec["description"].rpartition("for example ")
        if name == "patientName":  # a model that has heard none would take the example
            continue
        assert found, (name, before)
        assert re.search(spec["pattern"], example.split(" or ")[0].rstrip("."))


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda d: f"{d.name}-{d.version}")
def test_static_parameters_are_never_arguments_of_the_model(definition: ToolDefinition) -> None:
    body = payload(definition)
    static = {item["key"]: item["value"] for item in body["parameters"]}

    assert set(static) == STATIC_PARAMETERS
    assert static == {
        "organization_id": str(ORG),
        "definition_version": definition.version,
        "contract": definition.contract,
    }
    assert (version_of(body), contract_of(body)) == (definition.version, definition.contract)
    assert not set(static) & set(definition.parameters_schema()["properties"])


def test_the_names_of_tools_are_different() -> None:
    assert len({definition.name for definition in DEFINITIONS}) == len(DEFINITIONS)


def test_what_is_registered_is_answered_and_no_version_stands_for_two() -> None:
    assert set(DEFINITIONS) <= set(ANSWERED)
    assert len({(definition.name, definition.version) for definition in ANSWERED}) == len(ANSWERED)


def test_of_one_name_a_contract_has_one_argument_model() -> None:
    models: dict[tuple[str, int], set[type]] = {}
    for definition in ANSWERED:
        models.setdefault((definition.name, definition.contract), set()).add(definition.arguments)
    assert {len(found) for found in models.values()} == {1}
    assert all(contract >= 1 for _, contract in models), "0 is for what another service answers"


@pytest.mark.parametrize(
    ("parameters", "contract"),
    [
        ([{"key": "contract", "value": 2}], 2),
        ([{"key": "contract", "value": 0}], 0),
        ([{"key": "definition_version", "value": 2}], None),
        ([{"key": "contract", "value": "2"}], None),
        ([{"key": "contract", "value": True}], None),
        ([{"key": "contract", "value": -1}], None),
        ([{"name": "contract"}], None),
        (None, None),
    ],
)
def test_a_tool_at_vapi_names_its_contract_or_none(parameters: Any, contract: int | None) -> None:
    assert contract_of({"parameters": parameters}) == contract


def test_the_first_version_of_booking_is_registered_as_it_was_first_specified() -> None:
    """A clinic may have it: whatever is changed in this document is another version."""
    document = payload(BOOK_CLINIC_APPOINTMENT)

    assert (BOOK_CLINIC_APPOINTMENT.version, document["async"]) == (1, True)
    assert canonical_hash(document) == "bce5f5e6c4ced7c0a97fb1ee81402827a9376b1185ae655efd8e7a63257292cc"
    document["parameters"] = [item for item in document["parameters"] if item["key"] != "contract"]
    first = "072e6ee3f2a455271b4ba580797caee097dd418c54f8f189413d688d21917667"
    assert canonical_hash(document) == first, "what a model sees is as it was; the contract came later (ADR 38)"


def test_the_model_waits_for_the_answer_to_a_booking() -> None:
    (definition,) = DEFINITIONS

    assert (definition.name, definition.version) == (BOOK_CLINIC_APPOINTMENT.name, 2)
    assert payload(definition)["async"] is False
    assert "Wait for its answer" in definition.description
    assert "{{" not in str(payload(definition))


def test_a_call_that_obeys_the_registered_schema_is_accepted() -> None:
    (definition,) = DEFINITIONS
    jsonschema.Draft202012Validator(definition.parameters_schema()).validate(CALL)

    arguments = BookClinicAppointment.model_validate(CALL)

    assert arguments.patient_phone == "+49 (30) 123-45.67"  # which number that is depends on the clinic's country
    assert arguments.appointment_date.isoformat() == "2026-12-01"
    assert BookClinicAppointment.model_validate({k: v for k, v in CALL.items() if k != "notes"}).notes == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("patientName", ""),
        ("patientName", "   "),
        ("patientName", "x" * 121),
        ("patientName", "A\x00da"),
        ("patientName", "A\ud800"),
        ("patientPhone", " \u00a0 "),
        ("patientPhone", "1" * 41),
        ("service", ""),
        ("appointmentDate", "2026-02-30"),
        ("appointmentDate", "tomorrow"),
        ("appointmentTime", "24:00"),
        ("appointmentTime", "9:30"),
        ("appointmentTime", "09:30:30"),
        ("notes", "x" * 1001),
    ],
)
def test_a_call_with_a_wrong_argument_is_refused_without_repeating_it(field: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        BookClinicAppointment.model_validate({**CALL, field: value})

    assert len(refused.value.errors()) == 1
    assert CALL["patientName"] not in str(refused.value)
    assert len(value) < 4 or value not in str(refused.value)


@pytest.mark.parametrize("field", sorted(set(CALL) - {"notes"}))
def test_a_call_without_a_required_argument_is_refused(field: str) -> None:
    with pytest.raises(ValidationError):
        BookClinicAppointment.model_validate({k: v for k, v in CALL.items() if k != field})
    (definition,) = DEFINITIONS
    assert field in definition.parameters_schema()["required"]


@given(installation=st.uuids(), org=st.uuids())
def test_a_registered_tool_is_known_again_by_its_marker(installation: UUID, org: UUID) -> None:
    (definition,) = DEFINITIONS
    body = definition.vapi_payload(org, server_url="https://x.test", installation_id=installation)
    stored = {**body, "id": str(uuid4()), "orgId": str(uuid4()), "latestVersion": "v1"}

    assert ToolMarker.of(stored) == ToolMarker(installation, org, definition.name)


def test_a_credential_is_named_only_where_there_is_one() -> None:
    (definition,) = DEFINITIONS

    assert "credentialId" not in payload(definition)["server"]
    assert payload(definition, credential_id="c-1")["server"]["credentialId"] == "c-1"


FOREIGN: dict[str, Any] = {
    "no tool": None,
    "a text": "tool",
    "another type": {"type": "endCall"},
    "no server": {"function": {"name": "x"}, "parameters": [{"key": "organization_id", "value": str(ORG)}]},
    "server null": {"server": None, "parameters": [], "function": {"name": "x"}},
    "headers a list": {"server": {"headers": ["x"]}, "parameters": [], "function": {"name": "x"}},
    "no UUID": {
        "server": {"headers": {INSTALLATION_HEADER: "staging"}},
        "parameters": [{"key": "organization_id", "value": str(ORG)}],
        "function": {"name": "x"},
    },
    "another's parameters": {
        "server": {"headers": {INSTALLATION_HEADER: str(INSTALLATION)}},
        "parameters": [{"name": "organization_id"}],
        "function": {"name": "x"},
    },
    "organization a number": {
        "server": {"headers": {INSTALLATION_HEADER: str(INSTALLATION)}},
        "parameters": [{"key": "organization_id", "value": 5}],
        "function": {"name": "x"},
    },
}


@pytest.mark.parametrize("tool", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_tool_has_no_marker(tool: Any) -> None:
    assert ToolMarker.of(tool) is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["parameters", "server", "headers", "function", "name", "key", "value", INSTALLATION_HEADER]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    )
)
def test_no_document_upsets_the_marker(tool: Any) -> None:
    assert ToolMarker.of(tool) is None or isinstance(ToolMarker.of(tool), ToolMarker)
