"""The judge of upgrades finds what it looks for: each promise broken by hand, in an otherwise good run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.chaos.client import Answer
from tests.checker.dump import SETTINGS_DEFAULTS, Dump
from tests.checker.history import History
from tests.upgrade.verdict import (
    GAP_SECONDS_MAX,
    OF_THE_RELEASE_BEFORE,
    Findings,
    Step,
    back_and_forth,
    broken,
    told_to_repeat,
)

GOOD = Findings(
    steps=[Step("both", 100, 110)],
    answers={"saves": [Answer(101, 0.1, "ok", 200, {})], "reads": [Answer(102, 0.1, "fail", 404, {})], "calls": []},
    booked={"call-1": "org-1"},
    refused=[],
    rows=frozenset({"call-1"}),
    gaps={"both": 1.0},
    still_writing=[],
    left={},
    shipped=True,
    slow_stops=0,
)
BAD = {
    "answers to saves were 502": lambda: replace(GOOD, answers={"saves": [Answer(101, 0.1, "info", 502, {})]}),
    "answers to calls were no answer": lambda: replace(GOOD, answers={"calls": [Answer(101, 15, "info", None, {})]}),
    "heard 200: taken": lambda: replace(GOOD, refused=["200: taken"]),
    "are booked, and are not: call-1": lambda: replace(GOOD, rows=frozenset({"call-2"})),
    "without an outcome": lambda: replace(GOOD, gaps={"both": GAP_SECONDS_MAX + 1}),
    "written back": lambda: replace(GOOD, back_and_forth=["assistant a was written back to what it had been"]),
    "PATCH /tool/1": lambda: replace(GOOD, still_writing=["PATCH /tool/1"]),
    "pending_syncs: 1": lambda: replace(GOOD, left={"pending_syncs": 1}),
    "not carried out": lambda: replace(GOOD, shipped=False),
    "did not end in time": lambda: replace(GOOD, slow_stops=1),
}


def test_a_good_run_is_good() -> None:
    assert list(broken(GOOD)) == []


@pytest.mark.parametrize("says", BAD)
def test_a_broken_promise_is_said(says: str) -> None:
    bad: Callable[[], Findings] = BAD[says]
    (line,) = broken(bad())
    assert says in line


@pytest.mark.parametrize("step", OF_THE_RELEASE_BEFORE)
@pytest.mark.parametrize("status", [None, 500, 502, 503])
def test_what_is_a_fault_of_the_release_before_is_counted_and_no_broken_promise(step: str, status: int | None) -> None:
    told = replace(GOOD, steps=[Step(step, 100, 110)], gaps={}, answers={"saves": [Answer(101, 1, "info", status, {})]})
    forgiven = status in OF_THE_RELEASE_BEFORE[step]
    assert (len(list(broken(told))), told_to_repeat(told)) == ((0, 1) if forgiven else (1, 0))


def write(number: int, method: str, path: str, body: dict[str, Any], created: str | None = None) -> dict[str, Any]:
    """An entry of the sandbox's journal, executed for a service."""
    return {
        "sequence": number, "origin": "client", "key": "ours", "method": method, "path": path, "body": body,
        "body_sha256": str(number), "executed": True, "created": [created] if created else [],
        "executed_monotonic_seconds": float(number),
    }  # fmt: skip


def history(*journal: dict[str, Any]) -> History:
    """A run of which only this is known."""
    tables = {"tool_sync.installation": [{"installation_id": "i"}]}
    return History(Dump([], {**SETTINGS_DEFAULTS, "service_keys": ["ours"]}, [], tables, list(journal), {}))


def prompts(*texts: str) -> History:
    """An assistant that is made with the first text, and then written with the others."""
    made, *later = texts
    writes = (write(n, "PATCH", "/assistant/a", {"model": {"prompt": text}}) for n, text in enumerate(later, 2))
    return history(write(1, "POST", "/assistant", {"model": {"prompt": made}}, "a"), *writes)


@pytest.mark.parametrize(
    ("of", "found"),
    [
        (prompts("one", "two", "three"), []),
        (prompts("one", "two", "two"), []),
        (prompts("one", "two", "one"), ["assistant a was written back to what it had been"]),
        (history(write(1, "PATCH", "/tool/t", {"v": 1}), write(2, "PATCH", "/tool/t", {"v": 2})), []),
        (
            history(*(write(n, "PATCH", "/tool/t", {"v": n % 2}) for n in (1, 2, 3))),
            ["/tool/t was written 3 times with 2 texts"],
        ),
    ],
)
def test_two_releases_that_disagree_are_seen_by_what_they_write(of: History, found: list[str]) -> None:
    assert back_and_forth(of) == found
