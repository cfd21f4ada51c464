"""What stands between a caller and our tools, as the assistant's document and what is known of its tools tell."""

from typing import Any
from uuid import UUID

import pytest

from tool_sync.domain.events import ToolRef
from tool_sync.domain.reach import (
    Known,
    NamedTool,
    Obstacle,
    belongs_to_another,
    named_ids,
    obstacles_of,
    pins_of,
    to_take_out,
)

ORG, OTHER, INSTALLATION, ELSEWHERE = (UUID(int=n) for n in range(1, 5))
BOOK = ToolRef("bookClinicAppointment", "t-1", 2, "a" * 64)
KNOWN = Known(
    installation_id=INSTALLATION,
    org_id=ORG,
    tool_ids=frozenset({"t-1", "t-retired"}),
    registered=frozenset({BOOK.name}),
    versions={"t-1": {"v1": 1, "v2": 2}},
    answered=frozenset({(BOOK.name, 2)}),
)


def document(**model: Any) -> dict[str, Any]:
    return {"id": "a", "latestVersion": "v4", "model": {"provider": "openai", "toolIds": ["t-1"], **model}}


def codes(found: tuple[Obstacle, ...]) -> list[str]:
    return [obstacle.code for obstacle in found]


def obstacles(
    doc: dict[str, Any], *named: NamedTool, split: tuple[str, ...] | None = None, linked: str | None = None
) -> list[str]:
    by_id = {tool.vapi_tool_id: tool for tool in named}
    return codes(obstacles_of(doc, [BOOK], named=by_id, known=KNOWN, split=split, linked_version=linked))


def test_nothing_stands_in_the_way_of_a_plain_link() -> None:
    assert obstacles(document()) == []
    assert obstacles(document(toolIds=["foreign", "t-1"]), NamedTool("foreign", True, "lookUp")) == []
    assert obstacles(document(toolIds=["foreign", "t-1"]), NamedTool("foreign", True)) == []


@pytest.mark.parametrize(
    "model",
    [
        {"tools": [{"type": "function", "function": {"name": BOOK.name}}]},
        {"tools": [{"type": "function", "name": BOOK.name}]},
        {"functions": [{"name": BOOK.name}]},
        {"tools": [None, 7, {"function": None}, {"function": {"name": BOOK.name}}]},
    ],
)
def test_a_tool_of_the_same_name_in_the_assistant_itself_shadows_ours(model: dict[str, Any]) -> None:
    assert obstacles(document(**model)) == ["TS-307"]


def test_a_saved_tool_of_the_same_name_shadows_ours_wherever_it_is_named() -> None:
    foreign = NamedTool("foreign", True, BOOK.name)
    assert obstacles(document(toolIds=["t-1", "foreign"]), foreign) == ["TS-307"]
    assert obstacles(document(toolRefs=[{"toolId": "foreign", "version": "v1"}]), foreign) == ["TS-307"]
    assert obstacles(document(), foreign) == []  # read once, and not named any more


def test_an_id_without_a_tool_fails_every_call() -> None:
    assert obstacles(document(toolIds=["t-1", "dead"]), NamedTool("dead", False)) == ["TS-308"]


KINDS_AND_CODES: list[tuple[object, list[str]]] = [
    ([], ["TS-309"]),
    (["transcript"], ["TS-309"]),
    (["tool-calls"], []),
    (None, []),
    ("tool-calls", []),
    (["end-of-call-report", "tool-calls"], []),
]


@pytest.mark.parametrize(("kinds", "expected"), KINDS_AND_CODES)
def test_tool_calls_are_sent_unless_a_list_leaves_them_out(kinds: object, expected: list[str]) -> None:
    assert obstacles({**document(), "serverMessages": kinds}) == expected


@pytest.mark.parametrize(
    ("label", "expected"), [("v2", []), ("v1", ["TS-310"]), ("v9", ["TS-310"]), ("", []), (None, [])]
)
def test_a_pin_is_usable_while_its_version_is_answered(label: str | None, expected: list[str]) -> None:
    pinned = document(toolIds=[], toolRefs=[{"toolId": "t-1", "version": label}])
    assert obstacles(pinned) == expected


def test_a_pin_is_told_with_the_definition_that_it_holds() -> None:
    (pin,) = pins_of(document(toolRefs=[{"toolId": "t-1", "version": "v1"}]), [BOOK], KNOWN)
    assert (pin.name, pin.label, pin.definition_version) == (BOOK.name, "v1", 1)


@pytest.mark.parametrize(
    ("split", "linked", "expected"),
    [
        (None, None, []),
        (("v4",), None, []),  # the document's own
        (("v3", "v4"), None, ["TS-311"]),
        (("v3", "v4"), "v3", []),
        (("v2", "v4"), "v3", ["TS-311"]),
        (("canary", "v4"), "v3", ["TS-311"]),
        ((), "v3", []),
    ],
)
def test_a_split_stands_in_the_way_unless_all_its_versions_have_the_link(
    split: tuple[str, ...] | None, linked: str | None, expected: list[str]
) -> None:
    assert obstacles(document(), split=split, linked=linked) == expected


def test_a_tool_of_another_clinic_is_taken_out_and_stands_in_the_way_while_it_is_there() -> None:
    theirs = NamedTool("theirs", True, BOOK.name, INSTALLATION, OTHER)
    lost = NamedTool("lost", True, BOOK.name, INSTALLATION, ORG)
    unfinished = NamedTool("unfinished", True, "anotherTool", INSTALLATION, ORG)
    staging = NamedTool("staging", True, "lookUp", ELSEWHERE, OTHER)
    stranger = NamedTool("stranger", True, "lookUp")
    named = (theirs, lost, unfinished, staging, stranger)
    assert to_take_out(named, KNOWN) == ("theirs", "lost")
    assert obstacles(document(toolIds=["t-1", "theirs"]), *named) == ["TS-313"]
    assert obstacles(document(toolIds=["t-1", "staging", "stranger", "unfinished"]), *named) == []


def test_what_the_log_knows_is_never_foreign() -> None:
    read_before_it_was_ours = NamedTool("t-1", True, BOOK.name, INSTALLATION, ORG)
    assert obstacles(document(), read_before_it_was_ours) == []
    assert to_take_out([read_before_it_was_ours], KNOWN) == ()


def test_without_a_wanted_tool_nothing_can_stand_in_its_way() -> None:
    assert obstacles_of({"serverMessages": []}, [], named={}, known=KNOWN) == ()


@pytest.mark.parametrize("model", [None, 7, {"toolIds": None}, {"toolIds": "t-1"}, {"toolIds": [None, {}, 7, ""]},
                                   {"toolRefs": [None, {"toolId": 3}], "tools": "x", "functions": {}}])  # fmt: skip
def test_a_document_of_any_shape_is_read(model: object) -> None:
    strange = {"model": model, "metadata": [], "serverMessages": 3, "latestVersion": 7}
    assert named_ids(strange) == ()
    assert codes(obstacles_of(strange, [BOOK], named={}, known=KNOWN, split=("v1",))) == ["TS-311"]
    assert not belongs_to_another(strange, INSTALLATION, ORG)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, False),
        ({"organization_id": str(OTHER), "agent_id": "x"}, False),  # generic keys may be anybody's
        ({"zerotouch_installation": str(INSTALLATION), "organization_id": str(ORG)}, False),
        ({"zerotouch_installation": str(INSTALLATION).upper(), "organization_id": str(ORG).upper()}, False),
        ({"zerotouch_installation": str(INSTALLATION), "organization_id": str(OTHER)}, True),
        ({"zerotouch_installation": str(ELSEWHERE), "organization_id": str(ORG)}, True),
        ({"zerotouch_installation": str(INSTALLATION)}, True),
        ({"zerotouch_installation": 7, "organization_id": str(ORG)}, True),
        ({"zerotouch_installation": "", "organization_id": ""}, True),
    ],
)
def test_a_mark_of_somebody_else_is_seen(metadata: dict[str, Any], expected: bool) -> None:
    assert belongs_to_another({"metadata": metadata}, INSTALLATION, ORG) is expected
