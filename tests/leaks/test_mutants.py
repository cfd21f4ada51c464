"""The matrix sees: every leak that is built in on purpose is caught."""

import pytest

from .conftest import Open
from .mutants import MUTANTS, Mutant, found_by

MUTANTS_LEAST = 20


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.does)
async def test_a_leak_is_caught(assistant_api: Open, tool_sync: Open, mutant: Mutant) -> None:
    opened = {"assistant_api": assistant_api, "tool_sync": tool_sync}[mutant.service]
    async with opened() as world:
        assert await found_by(world, mutant)


def test_there_are_many_and_each_is_another() -> None:
    assert len({mutant.does for mutant in MUTANTS}) == len(MUTANTS) >= MUTANTS_LEAST
