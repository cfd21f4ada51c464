"""``assistant-api run`` as several workers: saves are answered throughout, and each is made once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from tests.support.eventually import eventually
from tests.support.knocking import knocking
from tests.support.machine import Machine, machine, until_none_runs

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from .harness import Vapi, token
from .processes import environment_of

SAVES = 40


@asynccontextmanager
async def two_workers(environment: dict[str, str], folder: Path) -> AsyncIterator[Machine]:
    async with machine("assistant_api", environment | {"WORKERS": "2"}, folder / "assistant-api.log") as running:
        yield running


async def both_answer(running: Machine) -> dict[str, int]:
    """The pids, once both workers say how they are; Kafka is nowhere, so that neither is ready."""

    async def there() -> dict[str, int] | None:
        try:
            found = await running.workers()
        except httpx.TransportError:
            return None
        return {number: one["pid"] for number, one in found.items()} if all(found.values()) else None

    pids: dict[str, int] = await eventually(there, within_seconds=60)
    return pids


async def test_saves_are_answered_and_made_once_while_a_worker_is_killed_and_both_are_restarted(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, tmp_path: Path
) -> None:
    told = environment_of(assistant_api_db, sandbox)
    headers = {"Authorization": f"Bearer {token()}"}
    async with two_workers(told, tmp_path) as running:
        pids = await both_answer(running)
        created = await running.http.post("/api/organizations", json={"name": "Clinic"}, headers=headers)
        assert created.status_code == 201, created.text
        org = created.json()["id"]

        async def save(number: int) -> int:
            """Repeated with its key as long as a connection ends without an answer, as a client does."""
            body = {"name": "A", "id": f"agent-{number}", "orgId": org}
            keyed = headers | {"Idempotency-Key": f"save-{number}"}

            async def answered() -> int | None:
                try:
                    answer = await running.http.post("/api/agents", json=body, headers=keyed)
                except httpx.TransportError:
                    return None
                return answer.status_code if answer.status_code in (200, 202) else None

            status: int = await eventually(answered, within_seconds=60)
            return status

        saving = [asyncio.create_task(save(number)) for number in range(SAVES // 2)]
        os.kill(pids["2"], signal.SIGKILL)
        await asyncio.gather(*saving)
        again = await both_answer(running)
        assert (again["1"], again["2"] != pids["2"]) == (pids["1"], True)

        async with knocking(f"http://127.0.0.1:{told['PORT']}/api/assistants/agent-0/status", headers) as knocks:
            running.signal(signal.SIGHUP)
            await asyncio.gather(*(save(number) for number in range(SAVES // 2, SAVES)))

            async def all_new() -> bool:
                return not {*again.values()} & {*(await both_answer(running)).values()}

            await eventually(all_new, within_seconds=60)
        assert (knocks.failures, set(knocks.answers)) == ([], {200})

        async def all_made() -> bool:
            return len(await vapi.assistants()) >= SAVES

        await eventually(all_made, within_seconds=60)
        made = [one["metadata"]["agent_id"] for one in await vapi.assistants()]
        assert sorted(made) == sorted(f"agent-{number}" for number in range(SAVES))
        running.signal(signal.SIGTERM)
        assert await running.ended() == 0


async def test_health_speaks_for_all_workers_whichever_is_asked(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with two_workers(environment_of(assistant_api_db, sandbox), tmp_path) as running:
        pids = await both_answer(running)
        assert (await running.http.get("/livez")).json() == {"status": "alive"}
        os.kill(pids["1"], signal.SIGSTOP)
        try:
            answers = [await running.http.get(page) for page in ("/livez", "/readyz")]
        finally:
            os.kill(pids["1"], signal.SIGCONT)
        assert [answer.status_code for answer in answers] == [503, 503]
        assert all("does not answer within" in answer.json()["reasons"]["worker 1"] for answer in answers)


async def test_no_worker_outlives_a_killed_supervisor(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with two_workers(environment_of(assistant_api_db, sandbox), tmp_path) as running:
        pids = await both_answer(running)
        running.signal(signal.SIGKILL)
        await until_none_runs(*pids.values())


async def test_wrong_settings_are_reported_once(tmp_path: Path) -> None:
    async with two_workers({"PORT": "3001", "DATABASE_URL": "mysql://h/d"}, tmp_path) as running:
        assert await running.ended() == 2
    assert running.child.log.read_text().count("DATABASE_URL") == 1
