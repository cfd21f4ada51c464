"""The whole way as a clinic would walk it: create, save, sync, call, book; a slot that is taken is not booked twice."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.support.eventually import eventually

from devstack.walkthrough import call

from .kafka_topics import every_record
from .world import PATIENCE_SECONDS, TOOL, World

PATIENT = {"patientName": "Ottilie Wunderlich-7741", "patientPhone": "+49 30 77411177", "service": "Check-up"}
OTHER = {"patientName": "Ignatius Sauerbier-7742", "patientPhone": "+49 30 77421177", "service": "Check-up"}
CALLS = "tool-calls.v1"


async def test_a_caller_books_and_the_next_one_is_offered_another_slot(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    asked = await world.sync(saved["agentId"])
    await world.outcomes.of(UUID(asked["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
    day = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    wish = {"appointmentDate": day, "appointmentTime": "10:00"}

    booked = await call(world.stack, saved["assistantId"], TOOL, {**PATIENT, **wish})
    refused = await call(world.stack, saved["assistantId"], TOOL, {**OTHER, **wish})

    # The default version waits: what is answered is what the model hears.
    assert booked.heard == booked.answered == f"Booked for {day} at 10:00."
    assert refused.heard == refused.answered
    assert "taken" in refused.answered
    assert f"{day} at 10:30" in refused.answered
    answer = await world.http.get("/api/appointments", headers=world.bearer(org_id))
    (appointment,) = answer.json()["items"]
    assert (appointment["patientName"], appointment["start"]) == (PATIENT["patientName"], f"{day}T10:00:00.000Z")
    assert appointment["callId"] == booked.call_id

    async def is_counted() -> bool:
        path, of = f"/v1/orgs/{org_id}/calls", {"assistant_id": saved["assistantId"]}
        told = (await world.tool_sync.get(path, headers=world.bearer(org_id), params=of)).raise_for_status().json()
        return {one["code"]: one["calls"] for one in told["counts"]} == {"booked": 1, "taken": 1}

    await eventually(is_counted, within_seconds=PATIENCE_SECONDS)


async def test_who_called_is_in_no_topic_event_log_or_span(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    day = (datetime.now(UTC) + timedelta(days=15)).date().isoformat()
    await call(world.stack, saved["assistantId"], TOOL, {**PATIENT, "appointmentDate": day, "appointmentTime": "11:00"})
    await world.quiet()

    said = [record for topic in (CALLS, "assistants.v1", "tool-sync.outcomes.v1")
            for record in await every_record(world.stack.bootstrap_servers, topic)]  # fmt: skip
    handled = [record for record in said if record.topic == CALLS and record.key == str(org_id).encode()]
    assert [b'"code":"booked"' in record.value for record in handled] == [True]
    everything = "\n".join(
        [
            *(str((record.key, record.value, record.headers)) for record in said),
            *(str(span) for span in world.collector.spans()),
            world.stack.surroundings.log_file.read_text(),
            *[str(tuple(row)) for row in await world.log_db.fetch("SELECT data, meta FROM events")],
        ]
    )
    for canary in ("Ottilie", "Wunderlich", "77411177", "Check-up"):
        assert canary not in everything
