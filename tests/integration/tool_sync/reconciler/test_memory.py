"""A finished run is freed at once: nothing of it waits for the collector of cycles, which would stop the loop."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tool_sync.sync.knowledge import Knowledge
from tool_sync.sync.run import Run
from tool_sync.sync.traces import RunTraces
from tool_sync.sync.writer import Writer

from .world import World

PARTS = (Run, Knowledge, Writer, RunTraces)
ASSISTANTS = 6
"""More than the steps that one org may have at once: tasks of steps are waited for, too."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list["weakref.ref[Any]"]:
    """Every part of a run that is made."""
    made: list[weakref.ref[Any]] = []

    def noting(init: Any) -> Any:
        def noted(self: Any, *more: Any, **named: Any) -> None:
            made.append(weakref.ref(self))
            init(self, *more, **named)

        return noted

    for part in PARTS:
        monkeypatch.setattr(part, "__init__", noting(part.__init__))
    return made


@pytest.fixture
def _uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("status", [None, 400, 429, 500])
@pytest.mark.usefixtures("_uncollected")
async def test_nothing_of_a_finished_run_is_alive(
    world: World, made: list["weakref.ref[Any]"], status: int | None
) -> None:
    org = uuid4()
    for n in range(ASSISTANTS):
        await world.save(org, await world.assistant(), f"agent-{n}")
    if status is not None:
        action = {"kind": "status", "status": status}
        await world.turn(rules=[{"route": "POST /tool", "times": 1, "action": action}])
    await world.sync()
    assert len(made) >= len(PARTS)
    assert [part for ref in made if (part := ref()) is not None] == []
