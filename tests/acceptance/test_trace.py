"""One trace with one root, from the POST to those who read its outcome, in the spans that really were exported."""

from collections import Counter
from uuid import UUID

from tests.support.eventually import eventually

from .collector import CollectedSpan
from .world import PATIENCE_SECONDS, SECRET_GREETING, SECRET_PROMPT, World

SERVER_KIND, SAMPLED = 2, 1
ASSISTANT_API, TOOL_SYNC = "assistant-api", "tool-sync"
LAST_OF_EACH = {(ASSISTANT_API, "process tool-sync.outcomes.v1"), (TOOL_SYNC, "send tool-sync.outcomes.v1")}
THE_WAY = Counter(
    {
        (ASSISTANT_API, "POST /api/agents"): 1,
        (ASSISTANT_API, "POST /assistant"): 1,
        (ASSISTANT_API, "send assistants.v1"): 1,
        (TOOL_SYNC, "process assistants.v1"): 1,
        (TOOL_SYNC, "sync org"): 1,
        (TOOL_SYNC, "POST /tool"): 1,
        (TOOL_SYNC, "PATCH /assistant/{id}"): 1,
        (TOOL_SYNC, "send tool-sync.outcomes.v1"): 1,
        (ASSISTANT_API, "process tool-sync.outcomes.v1"): 1,
    }
)
"""What must happen exactly once for the first save of a clinic's first assistant; reads are not counted."""


async def test_a_save_is_one_trace_with_one_root_that_ends_with_its_outcome(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    spans = await whole_trace(world, saved["traceId"])
    by_id = {span.span_id: span for span in spans}

    [root] = [span for span in spans if not span.parent_id]
    assert (root.service, root.name, root.kind) == (ASSISTANT_API, "POST /api/agents", SERVER_KIND)
    assert [span.name for span in spans if span.parent_id and span.parent_id not in by_id] == []
    assert len(by_id) == len(spans)

    counts = Counter((span.service, span.name) for span in spans)
    assert {step: counts[step] for step in THE_WAY} == dict(THE_WAY)
    assert {service for service, name in counts if name == "GET /assistant/{id}"} == {TOOL_SYNC}

    sync, sent = one(spans, "sync org"), one(spans, "send tool-sync.outcomes.v1")
    for name in ("POST /tool", "PATCH /assistant/{id}"):
        assert by_id[one(spans, name).parent_id] == sync
    assert by_id[sent.parent_id] == sync

    [published] = world.outcomes.naming(UUID(saved["requestId"]))
    version, trace_id, parent_id, flags = published.headers["traceparent"].decode().split("-")
    assert (version, trace_id, parent_id) == ("00", root.trace_id, sent.span_id)
    assert int(flags, 16) & SAMPLED
    assert [request.trace_id for request in published.outcome.requests] == [root.trace_id]


async def test_a_caller_that_brings_a_trace_stays_its_root(world: World) -> None:
    saved = await world.synced_agent(await world.organization())
    trace_id, caller = "c0ffee00c0ffee00c0ffee00c0ffee00", "ca11e4ca11e4ca11"
    answer = await world.http.post(
        "/api/assistants/sync",
        json={"agentId": saved["agentId"]},
        headers={"traceparent": f"00-{trace_id}-{caller}-01"},
    )
    assert answer.json()["traceId"] == trace_id
    spans = await whole_trace(world, trace_id)
    known = {span.span_id for span in spans}
    assert [span.name for span in spans if span.parent_id not in known] == ["POST /api/assistants/sync"]
    assert one(spans, "POST /api/assistants/sync").parent_id == caller
    assert {span.service for span in spans} == {ASSISTANT_API, TOOL_SYNC}


async def test_nothing_secret_is_in_a_span_an_event_a_message_or_the_log(world: World) -> None:
    saved = await world.synced_agent(await world.organization())
    await whole_trace(world, saved["traceId"])
    token = world.http.headers["authorization"].removeprefix("Bearer ")
    around = world.stack.surroundings
    secrets = [around.vapi_api_key, token, token.rpartition(".")[2], SECRET_PROMPT, "quendel", SECRET_GREETING]

    spans = b"".join(span.raw for span in world.collector.spans())
    log = around.log_file.read_bytes()
    events = await world.log_db.fetchval("SELECT string_agg(data::text || meta::text, ' ') FROM events")
    for place in (spans, log, events.encode()):
        assert saved["traceId"].encode() in place or bytes.fromhex(saved["traceId"]) in place, "the wrong place"
        assert [secret for secret in secrets if secret.lower().encode() in place.lower()] == []


async def whole_trace(world: World, trace_id: str) -> list[CollectedSpan]:
    """Every span of a trace whose outcome is on Kafka.

    Exporters send in the order in which spans end. So when the last span of a later trace has come from each service,
    nothing of this trace is missing.
    """

    await last_spans(world, trace_id)
    later = await world.synced_agent(await world.organization())
    await last_spans(world, later["traceId"])
    return world.collector.spans(trace_id)


async def last_spans(world: World, trace_id: str) -> None:
    """Waits for the span with which a save's trace ends in each service."""

    async def ended() -> bool:
        return {(span.service, span.name) for span in world.collector.spans(trace_id)} >= LAST_OF_EACH

    await eventually(ended, within_seconds=PATIENCE_SECONDS)


def one(spans: list[CollectedSpan], name: str) -> CollectedSpan:
    """The only span of this name."""
    [found] = [span for span in spans if span.name == name]
    return found
