"""Each hostile request of the list is the caller's fault: 4xx, nothing is changed, and no secret gets out."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support import hostile

from assistant_api.app.application import create_app
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from .harness import Harness, Vapi, make_settings, running

CANARY = "canary-7d1f0c9b"
REQUESTS = hostile.read_all("assistant-api")


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest_asyncio.fixture(loop_scope="session")
async def watched(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, spans: InMemorySpanExporter
) -> AsyncIterator[Harness]:
    settings = make_settings(assistant_api_db, sandbox)
    async with running(settings, assistant_api_db, vapi, spans) as harness:
        yield harness


async def test_every_hostile_request_is_refused_and_changes_nothing(
    watched: Harness, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    org_id = await watched.organization()
    await watched.agent(org_id, id="reception")
    await watched.provisioned("reception")
    app, values = create_app(watched.service.parts), hostile.values_of(org_id, CANARY)
    token = watched.bearer()["Authorization"].split()[1]
    # The vapi key's own row, and what the loops lease, is written without anybody asking; a refusal is noted.
    but = {"vapi_keys", "access_log"}
    before = await hostile.digest(watched.owner, but=but)
    vapi_wrote = await watched.vapi.writes()
    settings = watched.service.settings
    secrets = (CANARY, token, settings.vapi_api_key.get_secret_value())

    wrong = await hostile.tried(app, REQUESTS, values, token)

    assert not wrong, "\n".join(wrong)
    assert await hostile.digest(watched.owner, but=but) == before
    assert await watched.vapi.writes() == vapi_wrote
    told = [*(str(record.__dict__) for record in caplog.records)]
    told += [str(dict(row)) for row in await watched.owner.fetch("SELECT * FROM access_log")]
    await watched.service.telemetry.shutdown()
    told += [span.to_json() for span in spans.get_finished_spans()]
    assert len(told) > len(REQUESTS)
    assert [text for text in told for secret in secrets if secret in text and "httpx" not in text] == []


def test_the_list_is_long_and_has_every_route_that_takes_something() -> None:
    assert len(REQUESTS) >= hostile.LEAST
    assert len(hostile.by_route(REQUESTS)) >= 16
