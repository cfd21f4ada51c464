"""What is told of a tool that was read at Vapi: once for each difference where it is to be left."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from tool_sync.domain.events import ToolDriftEnded, ToolDriftSeen
from tool_sync.domain.fleet import Fleet
from tool_sync.sync.auto_sync.tools import told_of
from tool_sync.sync.blueprint import Blueprint, document_for
from tool_sync.sync.looks import ToolLook
from zerotouch_contracts.tools import DEFINITIONS

from ..domain.fleets import fleet_of

ORG, INSTALLATION = UUID(int=5), UUID(int=9)
RELEASE = Blueprint(DEFINITIONS, "https://hooks.example.test", INSTALLATION, None)
PUBLISHED = RELEASE.published(DEFINITIONS[0])
FLEET = fleet_of(PUBLISHED)
REPORTED = replace(FLEET, reported={PUBLISHED.name: "we try words"})
TOOL = ToolLook(ORG, PUBLISHED.name, "tool-1", PUBLISHED.definition_hash, 7)
AS_SENT = document_for(PUBLISHED.document or {}, ORG)
ENDED = ToolDriftEnded("platform", PUBLISHED.name, "tool-1")


def context(fleet: Fleet) -> Any:
    vapi, blueprint = SimpleNamespace(account="platform"), SimpleNamespace(installation_id=INSTALLATION)
    return SimpleNamespace(vapi=vapi, blueprint=blueprint, fleet=SimpleNamespace(now=fleet), document_for=document_for)


def reworded(words: str = "Other words.") -> dict[str, Any]:
    return {**AS_SENT, "function": {**AS_SENT["function"], "description": words}}


def noted(document: dict[str, Any], fleet: Fleet = REPORTED) -> ToolDriftSeen:
    told = told_of(context(fleet), TOOL, document)
    assert isinstance(told, ToolDriftSeen)
    return told


def test_as_registered_there_is_nothing_to_tell() -> None:
    assert told_of(context(FLEET), TOOL, AS_SENT) is None


def test_words_are_told_once_where_they_are_to_be_left_and_at_each_look_until_they_are_put_right() -> None:
    seen = noted(reworded())
    assert seen.differs == ("description",)
    known = replace(TOOL, drift=seen)
    assert told_of(context(REPORTED), known, reworded()) is None
    assert told_of(context(FLEET), known, reworded()) == seen
    other = told_of(context(REPORTED), known, reworded("Words once more."))
    assert isinstance(other, ToolDriftSeen)
    assert other.found != seen.found


@pytest.mark.parametrize("change", [{"server": {"url": "https://elsewhere.example.test"}}, {"async": True}])
def test_what_keeps_callers_from_booking_is_told_at_each_look(change: dict[str, Any]) -> None:
    seen = noted({**AS_SENT, **change})
    assert told_of(context(REPORTED), replace(TOOL, drift=seen), {**AS_SENT, **change}) == seen


def test_what_was_taken_back_is_told_by_who_knows_what_was_sent() -> None:
    known = replace(TOOL, drift=noted(reworded()))
    assert told_of(context(REPORTED), known, AS_SENT) == ENDED
    assert told_of(context(Fleet()), known, AS_SENT) is None


def test_a_tool_that_says_it_is_another_clinics_is_told_by_everybody() -> None:
    stranger = document_for(PUBLISHED.document or {}, UUID(int=6))
    assert "marker" in noted(stranger).differs
    told = told_of(context(Fleet()), TOOL, stranger)
    assert isinstance(told, ToolDriftSeen)
    assert told.differs == ("marker",)
