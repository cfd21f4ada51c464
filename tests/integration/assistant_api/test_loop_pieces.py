"""What a clinic's token can send and read does not keep the event loop for longer than 50 ms at a time."""

import os
from pathlib import Path
from typing import Final

import pytest
from tests.support.pieces import PIECE_SECONDS_MAX, longest_piece, slowness

from assistant_api.http.body import LEAST_NUMBER
from assistant_api.limits import BODY_VALUES_MAX
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from .harness import Harness, Vapi
from .processes import environment_of, running_process

DEAREST: Final = {"voice": {f"k{number}": 1 for number in range(BODY_VALUES_MAX - 20)}}
"""The most values that an agent can have: they cost more than a long prompt."""


async def test_a_page_of_the_dearest_agents_is_read_and_written_in_short_pieces(harness: Harness) -> None:
    await harness.suspend_provisioning()
    org_id = await harness.organization()
    harness.service.parts.limits.limiter.worked = lambda *_: None  # type: ignore[method-assign]
    for number in range(12):
        saved = await harness.post("/api/agents", {"id": f"dear-{number}", "name": "Reception", **DEAREST}, org_id)
        assert saved.status_code == 202, saved.text

    async def page() -> None:
        found = (await harness.get("/api/agents?limit=200", org_id)).raise_for_status()
        assert len(found.content) > 800_000

    assert await longest_piece(page) < PIECE_SECONDS_MAX


@pytest.mark.parametrize("number", ["1e300", "-1e300", "1e-300", "1e19", "123456789012345678901234567890"])
async def test_a_number_that_the_database_writes_with_hundreds_of_digits_is_refused(
    harness: Harness, number: str
) -> None:
    body = f'{{"name": "Reception", "voice": {{"speed": {number}}}}}'.encode()
    answer = await harness.http.post("/api/agents", content=body, headers=harness.bearer(await harness.organization()))
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "body.voice.speed"


async def test_numbers_of_voices_are_kept_as_they_are(harness: Harness) -> None:
    voice = {"speed": 0.95, "least": LEAST_NUMBER, "zero": 0.0, "large": 1e15, "negative": -0.5}
    await harness.suspend_provisioning()
    org_id = await harness.organization()
    saved = await harness.post("/api/agents", {"id": "voice", "name": "Reception", "voice": voice}, org_id)
    assert saved.status_code == 202, saved.text
    assert (await harness.get("/api/agents/voice", org_id)).json()["voice"] == voice


async def test_the_first_who_asks_for_the_document_waits_for_nothing_to_be_made(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    async with running_process(environment_of(assistant_api_db, sandbox)) as (process, http):
        (await http.get("/livez")).raise_for_status()
        used = []
        for _ in range(4):
            before = _cpu_seconds(process.pid)
            (await http.get("/api/openapi.json")).raise_for_status()
            used.append(_cpu_seconds(process.pid) - before)
        # The later ones say what the process does beside, whose loops have just begun.
        assert used[0] - max(used[1:]) < PIECE_SECONDS_MAX * slowness()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
