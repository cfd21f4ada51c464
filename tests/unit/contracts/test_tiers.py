"""The list of tiers is one list, and an unknown one is answered with the nearest."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tool_sync.domain.fleet import decide
from zerotouch_contracts.events import OrganizationSaved
from zerotouch_contracts.tiers import TIERS, KnownTier, nearest_tier
from zerotouch_contracts.tools import ANSWERED


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Basic", "basic"), ("pro", "professional"), ("enterprize", "enterprise"), ("", None), ("x" * 100_000, None)],
)
def test_the_nearest_tier_is_the_one_that_was_meant(name: str, nearest: str | None) -> None:
    assert nearest_tier(name) == nearest


@pytest.mark.parametrize("name", TIERS)
def test_a_tier_of_the_list_is_taken(name: str) -> None:
    assert TypeAdapter(KnownTier).validate_python(name) == name


def test_an_error_names_the_list_and_never_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(KnownTier).validate_python("premium")
    assert str(caught.value.errors()[0]["msg"]) == "Value error, must be basic, professional or enterprise"


def test_the_order_of_the_loop_is_the_order_of_the_list() -> None:
    assert decide.TIERS == TIERS


def test_every_definition_is_for_a_tier_of_the_list() -> None:
    assert {definition.tier for definition in ANSWERED} <= set(TIERS)


def test_a_record_of_a_newer_release_may_name_another_tier() -> None:
    body = {"org_id": "00000000-0000-0000-0000-000000000001", "revision": 1, "name": "A", "tier": "platinum"}
    assert OrganizationSaved.model_validate(body).tier == "platinum"
