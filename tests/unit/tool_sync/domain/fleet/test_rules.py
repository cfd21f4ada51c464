"""Which rule beats which: every set of rules that may apply to one clinic at once, and what each of them beats."""

from collections.abc import Collection
from dataclasses import replace
from itertools import chain, combinations

import pytest

from tool_sync.domain.events import FleetEvent, ToolHalted
from tool_sync.domain.fleet import Clinic, Fleet, Rule, decide_tool, decisions
from tool_sync.domain.fleet.work import left_by
from tool_sync.domain.toolset import ClinicPin

from ..builders import after
from ..fleets import ORG, OTHERS, and_then, fleet_of, ordered, published, started

IN_THEIR_ORDER: tuple[Rule, ...] = ("closed", "halted", "setting", "tier", "contract", "pinned")
LAST: dict[Rule, tuple[FleetEvent, ...]] = {
    "order": ordered("r-1", 2),
    "ordered to none": ordered("r-1", None),
    "no order": (),
}
CLINIC = Clinic(str(ORG), "basic", since=after(0))
PIN = ClinicPin(1, "hash-book-1", after(3600), 50)
SETS = [
    set(one) for one in chain.from_iterable(combinations(IN_THEIR_ORDER, n) for n in range(len(IN_THEIR_ORDER) + 1))
]


def made_so(rules: Collection[Rule], last: Rule) -> tuple[Clinic, Fleet]:
    """A clinic to which these apply. The tier and the contract are those of the version that it would be given."""
    tier, contract = "enterprise" if "tier" in rules else "basic", 9 if "contract" in rules else 0
    pinned, given = ((tier, contract), ("basic", 0)) if "pinned" in rules else (("basic", 0), (tier, contract))
    events: list[FleetEvent] = [published("book", 1, *pinned), published("book", 2, *given), *LAST[last]]
    if "halted" in rules:
        events.append(ToolHalted("book", "why"))
    return (
        replace(
            CLINIC,
            closed="closed" in rules,
            disabled=frozenset({"book"} if "setting" in rules else ()),
            pins={"book": PIN} if "pinned" in rules else {},
        ),
        fleet_of(*events),
    )


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("rules", SETS, ids=lambda rules: " ".join(sorted(rules)) or "none")
def test_the_first_rule_that_applies_decides_and_beats_all_after_it(rules: set[Rule], last: Rule) -> None:
    clinic, fleet = made_so(rules, last)
    gives_nothing = last != "order" and "pinned" not in rules
    expected = [
        rule for rule in IN_THEIR_ORDER if rule in rules and not (gives_nothing and rule in ("tier", "contract"))
    ]

    assert [made.rule for made in decisions(clinic, fleet, "book")] == [*expected, last]


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        ({"pinned"}, "pinned"), ({"pinned", "tier"}, "pinned"), ({"pinned", "contract"}, "pinned"),
        ({"pinned", "setting"}, "setting"), ({"setting"}, "setting"), ({"tier"}, "tier"), ({"contract"}, "contract"),
        ({"halted"}, None), (set(), None),
    ],
)  # fmt: skip
def test_a_plan_says_by_which_rule_an_order_does_not_reach_a_clinic(rules: set[Rule], rule: Rule | None) -> None:
    assert left_by(decide_tool(*made_so(rules, "order"), "book")) == rule


def test_a_pin_gives_its_definition_and_names_the_order_that_it_beats() -> None:
    clinic, fleet = made_so({"pinned"}, "order")
    made = decide_tool(clinic, fleet, "book")

    assert made.version is not None
    assert (made.version.definition_hash, made.follows, made.retire_reason) == ("hash-book-1", None, None)
    assert made.order is not None
    assert (made.order.rollout_id, made.pin) == ("r-1", PIN)


def test_a_pin_holds_a_definition_whatever_its_number_is_published_for_later_and_also_when_it_is_withdrawn() -> None:
    clinic, fleet = made_so({"pinned"}, "order")
    again = and_then(fleet, published(definition_hash="again"))
    made = decide_tool(clinic, again, "book")

    assert made.version is not None
    assert made.version.definition_hash == "hash-book-1"


def test_an_order_holds_a_definition_whatever_its_number_is_published_for_later() -> None:
    fleet = fleet_of(published(), *ordered("r-1"), published(tier="enterprise", contract=9, definition_hash="again"))
    made = decide_tool(CLINIC, fleet, "book")

    assert made.version is not None
    assert (made.rule, made.version.definition_hash) == ("order", "hash-book-1")


def test_nobody_is_pinned_to_what_was_not_published_by_then() -> None:
    """As `log decisions` asks: a clinic as it was later, on the fleet that a write was decided on."""
    made = decide_tool(replace(CLINIC, pins={"book": PIN}), fleet_of(published("book", 2), *ordered("r", 2)), "book")

    assert (made.rule, made.pin) == ("order", None)


def test_a_pin_is_of_one_tool() -> None:
    clinic = replace(CLINIC, pins={"cancel": PIN})

    assert decide_tool(clinic, fleet_of(published(), published("cancel"), *ordered("r")), "book").rule == "order"


def test_a_tier_that_does_not_count_puts_no_clinic_into_another_stage() -> None:
    """What the tier's rule beats is asked for the clinic as it is: an order for a higher tier does not hold it."""
    higher = replace(OTHERS, ring_below=10_000, tiers=("enterprise",), orgs=())
    fleet = fleet_of(published(tier="enterprise"), *ordered("r-1"), published(version=2), started("r-2", 2, (higher,)))

    assert [(made.rule, made.order and made.order.rollout_id) for made in decisions(CLINIC, fleet, "book")] == [
        ("tier", "r-1"), ("order", "r-1"),
    ]  # fmt: skip
