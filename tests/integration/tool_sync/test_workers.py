"""``tool-sync run --workers 2`` : real processes that share the work, and are killed under load."""

import asyncio
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.support.eventually import eventually
from tests.support.knocking import knocking
from tests.support.machine import Machine, machine, until_none_runs

from devstack.databases import DatabaseUrls
from devstack.ports import free_port
from devstack.sandbox import Sandbox
from devstack.tokens import Signer
from tool_sync.settings import Settings
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.envelope import Record, from_record
from zerotouch_contracts.events import AssistantSaved, ToolsSynced

from .topics import Topics

CLINICS = 60


def environment(settings: Settings, sandbox: Sandbox, **changes: str) -> dict[str, str]:
    """What the process is told."""
    values = settings.model_dump(mode="json", exclude={"vapi_api_key", "workers"})
    told = {name.upper(): str(value) for name, value in values.items() if value is not None}
    return told | {
        "VAPI_BASE_URL": sandbox.url,
        "VAPI_API_KEY": sandbox.api_key,
        "PORT": str(free_port()),
        **changes,
    }


class Runs:
    """How many runs of an organization each process has exported, by ``service.instance.id``."""

    def __init__(self, url: str) -> None:
        self.url, self.by_instance = url, Counter[str]()

    def take(self, body: bytes) -> None:
        """Count the spans of one export."""
        for exported in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {one.key: one.value.string_value for one in exported.resource.attributes}
            spans = [span.name for scope in exported.scope_spans for span in scope.spans]
            self.by_instance[names["service.instance.id"]] += spans.count("sync org")


@contextmanager
def counting_runs() -> Iterator[Runs]:
    """A collector that counts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                runs.take(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            """Requests are no news."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    runs = Runs(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield runs
    finally:
        server.shutdown()
        server.server_close()


async def make_saves(sandbox: Sandbox, topics: Topics) -> dict[UUID, Record]:
    """Assistants of as many new clinics, and the record of the save of each by its request."""
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    saves = {}
    async with httpx.AsyncClient(base_url=sandbox.url, headers=headers) as vapi:
        for number in range(CLINICS):
            model = {"provider": "openai", "model": "gpt-4o"}
            made = (await vapi.post("/assistant", json={"name": "a", "model": model})).raise_for_status().json()
            saved = AssistantSaved(
                org_id=uuid4(),
                request_id=uuid4(),
                agent_id=f"agent-{number}",
                assistant_id=made["id"],
                revision=1,
                model_hash=model_hash(made["model"]),
                cause="save",
            )
            saves[saved.request_id] = topics.record(saved, message_id=saved.request_id)
    return saves


async def requests_settled(topics: Topics) -> Counter[UUID]:
    """How many outcomes name each request."""
    messages = [from_record(record.key, record.value, record.headers)[0] for record in await topics.outcomes()]
    assert all(isinstance(message, ToolsSynced) for message in messages)
    return Counter(request.request_id for message in messages for request in getattr(message, "requests", ()))


async def members(settings: Settings) -> int:
    """How many consumers the group has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        [described] = await admin.describe_consumer_groups([settings.consumer_group])
        return len(described.groups[0][5])
    finally:
        await admin.close()


async def committed(settings: Settings) -> int:
    """How many records the group has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        return sum(one.offset for one in (await admin.list_consumer_group_offsets(settings.consumer_group)).values())
    finally:
        await admin.close()


@asynccontextmanager
async def two_workers(environment: dict[str, str], folder: Path) -> AsyncIterator[Machine]:
    async with machine("tool_sync", environment, folder / "tool-sync.log", "--workers", "2") as running:
        yield running


async def test_two_workers_share_the_work_and_one_that_is_killed_loses_and_doubles_nothing(
    settings: Settings, sandbox: Sandbox, topics: Topics, tmp_path: Path
) -> None:
    saves = await make_saves(sandbox, topics)
    with counting_runs() as runs:
        told = environment(settings, sandbox, OTEL_EXPORTER_OTLP_ENDPOINT=runs.url)
        async with two_workers(told, tmp_path) as running:
            pids = await running.pids()

            async def both_consume() -> bool:
                return await members(settings) == 2

            await eventually(both_consume)
            async with knocking(f"http://127.0.0.1:{told['PORT']}/livez") as knocks:
                half = CLINICS // 2
                for save in list(saves.values())[:half]:  # one by one: whoever takes one in is the first to claim it
                    await topics.send([save])

                async def both_have_worked() -> bool:
                    return len([instance for instance, count in runs.by_instance.items() if count]) == 2

                await eventually(
                    both_have_worked, within_seconds=60
                )  # before the kill, which takes what is not exported
                sending = asyncio.create_task(topics.send(list(saves.values())[half:]))
                os.kill(pids["2"], signal.SIGKILL)
                await sending

                async def all_settled() -> bool:
                    return len(await requests_settled(topics)) == CLINICS

                await eventually(all_settled, within_seconds=60)
                again = await running.pids()
                assert (again["1"], again["2"] != pids["2"]) == (pids["1"], True)
            assert await requests_settled(topics) == Counter(dict.fromkeys(saves, 1))
            # A connection that the killed process had accepted dies with it; nobody else's does.
            assert len(knocks.failures) <= 4, knocks.failures
            assert set(knocks.answers) == {200}

            running.signal(signal.SIGTERM)
            assert await running.ended() == 0
            assert await committed(settings) == CLINICS


async def test_no_worker_outlives_a_killed_supervisor_and_the_port_is_free(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    told = environment(settings, sandbox)
    async with two_workers(told, tmp_path) as running:
        pids = await running.pids()
        running.signal(signal.SIGKILL)
        await until_none_runs(*pids.values())
    async with two_workers(told, tmp_path) as next_one:
        assert len(await next_one.pids()) == 2


async def test_health_speaks_for_all_workers_whichever_is_asked(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with two_workers(environment(settings, sandbox), tmp_path) as running:
        pids = await running.pids()
        os.kill(pids["2"], signal.SIGSTOP)
        try:
            answers = [await running.http.get(page) for page in ("/livez", "/readyz")]
        finally:
            os.kill(pids["2"], signal.SIGCONT)
        assert [answer.status_code for answer in answers] == [503, 503]
        assert all("does not answer within" in answer.json()["problems"]["worker 2"] for answer in answers)
        assert await running.pids() == pids
        assert [(await running.http.get(page)).status_code for page in ("/livez", "/readyz")] == [200, 200]


async def test_a_rolling_restart_refuses_and_resets_no_connection(
    settings: Settings, sandbox: Sandbox, signer: Signer, tmp_path: Path
) -> None:
    told = environment(settings, sandbox)
    bearer = {"Authorization": f"Bearer {signer.platform_token()}"}
    async with two_workers(told, tmp_path) as running:
        before = await running.pids()
        async with knocking(f"http://127.0.0.1:{told['PORT']}/v1/events", bearer) as knocks:
            running.signal(signal.SIGHUP)

            async def all_new() -> bool:
                return not {*before.values()} & {*(await running.pids()).values()}

            await eventually(all_new, within_seconds=60)
        assert knocks.failures == []
        assert set(knocks.answers) == {200}


async def test_wrong_settings_are_reported_once(tmp_path: Path) -> None:
    async with two_workers({"PORT": "3002", "DATABASE_URL": "mysql://h/d"}, tmp_path) as running:
        assert await running.ended() == 2
    assert running.child.log.read_text().count("DATABASE_URL") == 1


@pytest.mark.parametrize("count", ["0", "65", "many"])
async def test_a_number_of_workers_that_cannot_be_is_a_wrong_option(tmp_path: Path, count: str) -> None:
    async with machine("tool_sync", {"PORT": "3002"}, tmp_path / "log", "--workers", count) as running:
        assert await running.ended() == 2
    assert "--workers" in running.child.log.read_text()


async def test_another_installations_database_is_refused_once(
    settings: Settings, sandbox: Sandbox, tool_sync_db: DatabaseUrls, tmp_path: Path
) -> None:
    owner = await asyncpg.connect(tool_sync_db.owner)
    await owner.execute("INSERT INTO installation (installation_id) VALUES (gen_random_uuid())")
    await owner.close()
    async with two_workers(environment(settings, sandbox), tmp_path) as running:
        assert await running.ended() == 3
    assert running.child.log.read_text().count("belongs to installation") == 1


async def test_a_port_in_use_is_said_once(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    told = environment(settings, sandbox)
    async with two_workers(told, tmp_path) as running:
        await running.pids()
        async with two_workers(told, tmp_path / "second") as second:
            assert await second.ended() == 2
        text = second.child.log.read_text()
        assert text.count(f"cannot listen on 127.0.0.1:{told['PORT']}") == 1


async def test_gauges_have_one_owner_and_stand_on_the_page(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    with counting_runs() as runs:
        told = environment(settings, sandbox, OTEL_EXPORTER_OTLP_ENDPOINT=runs.url)
        async with two_workers(told, tmp_path) as running:
            await running.pids()

            async def looked() -> dict[str, Any] | None:
                found = await running.workers()
                return found if found["1"]["gauges"] else None

            found = await eventually(looked)
    assert found["1"]["gauges"]["zerotouch.coverage"] == 1
    assert "gauges" not in found["2"]


async def test_the_page_of_metrics_has_every_workers_whichever_is_asked(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    few = {"LIMIT_ADDRESS_BYTES_PER_SECOND": "1"}  # fewer than the slowest machine sends; health sends none
    async with two_workers(environment(settings, sandbox, **few), tmp_path) as running:
        await running.pids()
        pages = [(await running.http.get("/metrics")).raise_for_status() for _ in range(6)]
        refused = [(await running.http.post("/v1/tools/lint", json={})).status_code for _ in range(20)]

        async def counted() -> str | None:  # whoever is over its limit is told so here, too
            answer = await running.http.get("/metrics")
            return (
                answer.text if answer.status_code == 200 and "zerotouch_limits_refused_total{" in answer.text else None
            )

        after = await eventually(counted, within_seconds=15)
    assert 429 in refused
    assert all(page.headers["content-type"].startswith("text/plain; version=0.0.4") for page in pages)
    assert all('zerotouch_coverage{worker="1"} 1.0' in page.text for page in pages), "no endpoint is needed"
    assert not any('zerotouch_coverage{worker="2"}' in page.text for page in pages)
    assert 'zerotouch_limits_refused_total{limit="bytes",of="address",worker="' in after
