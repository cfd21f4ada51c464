"""What an event changes is typed: a field that the state does not have never gets past mypy."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

from mypy import api

from tool_sync.domain.evolve.changes import Changes, Placed, changed
from tool_sync.domain.toolset import Toolset

SNIPPET = """
from datetime import UTC, datetime
from tool_sync.domain.evolve.changes import Changes, Placed, changed
from tool_sync.domain.toolset import Toolset

misspelt: Changes = {"atempts": {}}
mistyped: Changes = {"tier": 3}
right: Changes = {"tier": "basic"}
changed(Toolset(), Placed(position=1, version=1, since=datetime.now(UTC), fleet_sequence=0), right)
"""


def test_a_misspelt_or_mistyped_field_fails_mypy_and_a_right_one_does_not(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)

    found, _, _ = api.run([str(snippet), "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}"])

    misspelt, mistyped, summary = found.splitlines()
    assert "snippet.py:6" in misspelt
    assert 'Extra key "atempts"' in misspelt
    assert "snippet.py:7" in mistyped
    assert 'item "tier" has type "str"' in mistyped
    assert summary.startswith("Found 2 errors in 1 file")


def test_an_event_can_change_every_field_but_those_of_its_place_and_of_the_first_events_time() -> None:
    of_place = set(Placed.__annotations__)
    assert of_place == {"position", "version", "since", "fleet_sequence"}
    assert set(Changes.__annotations__) == {field.name for field in fields(Toolset)} - of_place


def test_the_changed_state_is_what_replace_makes_and_leaves_the_one_before_as_it_was() -> None:
    before = Toolset(tier="professional")
    placed = Placed(position=3, version=2, since=datetime(2026, 12, 1, tzinfo=UTC), fleet_sequence=1)
    after = changed(before, placed, {"closed": True})

    assert after == replace(before, **placed, closed=True)
    assert before == Toolset(tier="professional")
