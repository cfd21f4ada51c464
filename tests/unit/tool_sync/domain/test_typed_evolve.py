"""What an event changes is typed: a field that the state does not have never gets past mypy."""

from dataclasses import fields
from pathlib import Path

from mypy import api

from tool_sync.domain.evolve.changes import Changes
from tool_sync.domain.toolset import Toolset

SNIPPET = """
from dataclasses import replace
from tool_sync.domain.evolve.changes import Changes
from tool_sync.domain.toolset import Toolset

misspelt: Changes = {"atempts": {}}
mistyped: Changes = {"tier": 3}
right: Changes = {"tier": "basic"}
replace(Toolset(), position=1, **right)
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
    of_place = {"position", "version", "since", "fleet_sequence"}
    assert set(Changes.__annotations__) == {field.name for field in fields(Toolset)} - of_place
