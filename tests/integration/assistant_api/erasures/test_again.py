"""A database that was set back: whoever was erased since goes again, before anybody reads patients."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually
from tests.support.unfolded import unfolded

from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox

from ..harness import Harness, Vapi, make_settings, own_topics, running, whole_service
from ..processes import environment_of, start
from ..tool_calls.calling import TOKENS, Caller, booking
from .asking import PHONE, erase, everything, found_in, receipt

TABLES = ("appointments", "appointment_calls", "tool_calls")
KEYS = "the-newest-erasure-key, an-older-erasure-key"


class Backup:
    """The patients of a moment; put back as a restore does: no trigger sees it, and no receipt is there."""

    def __init__(self, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._admin = admin
        self._rows: dict[str, Sequence[str]] = {}

    async def take(self) -> None:
        """Keep what is there."""
        self._rows = {
            table: [row[0] for row in await self._admin.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")]  # noqa: S608
            for table in TABLES
        }

    async def restore(self) -> None:
        """Put it back."""
        for table in (*TABLES, "erasures", "outbox"):
            await self._admin.execute(f"DELETE FROM {table}")  # noqa: S608
        await self._admin.execute("DELETE FROM erased_calls")
        for table, rows in self._rows.items():
            await self._admin.executemany(
                f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, $1::text::jsonb)",  # noqa: S608
                [(row,) for row in rows],
            )


@pytest_asyncio.fixture(loop_scope="session")
async def backup(assistant_api_db: DatabaseUrls) -> Any:
    """A backup to be taken."""
    admin = await asyncpg.connect(assistant_api_db.admin)
    await admin.execute("SET session_replication_role = replica")
    yield Backup(admin)
    await admin.close()


@pytest_asyncio.fixture(loop_scope="session")
async def settings(assistant_api_db: DatabaseUrls, sandbox: Sandbox, kafka: TestKafka) -> Settings:
    """With Kafka, topics of its own, and keys."""
    return make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        **await own_topics(kafka),
        consumer_group=f"group-{uuid4()}",
        vapi_webhook_tokens=TOKENS[0],
        erasure_keys=KEYS,
        reconnect_seconds_max=0.3,
    )


async def _listed(harness: Harness, org_id: UUID, done: dict[str, Any]) -> dict[str, Any]:
    """The receipt, once the list has the erasure."""

    async def check() -> dict[str, Any] | None:
        shown = await receipt(harness, org_id, done)
        return shown if shown["listedAt"] else None

    found: dict[str, Any] = await eventually(check, within_seconds=20)
    return found


async def _booked(caller: Caller, org_id: UUID, hour: int, phone: str = PHONE) -> None:
    wish = booking(org_id, patientName="Canaria Nightingale", patientPhone=phone, appointmentTime=f"{hour:02}:00")
    assert (await caller.result(wish)).startswith("Booked")


async def _clinic_with_a_patient(harness: Harness) -> UUID:
    org_id = await harness.organization()
    for hour, phone in ((8, PHONE), (9, "0049151770077077"), (10, "+49151770077078")):
        await _booked(Caller(harness), org_id, hour, phone)
    return org_id


def _command(settings: Settings, urls: DatabaseUrls, sandbox: Sandbox, **changes: str) -> dict[str, str]:
    return environment_of(
        urls,
        sandbox,
        KAFKA_BOOTSTRAP_SERVERS=settings.kafka_bootstrap_servers,
        ERASURES_TOPIC=settings.erasures_topic,
        ERASURE_KEYS=changes.pop("ERASURE_KEYS", KEYS),
        **changes,
    )


async def _said(environment: dict[str, str], *arguments: str) -> tuple[int | None, str]:
    process = await start(environment, *arguments, "--reason", "a test")
    said, _ = await process.communicate()
    return process.returncode, unfolded(said.decode()) if "verify" in arguments else said.decode()


async def test_after_a_restore_the_erased_are_erased_again_before_patients_are_read(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, backup: Backup
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await _clinic_with_a_patient(harness)
        await backup.take()
        done = await erase(harness, org_id, {"phone": PHONE})
        await _listed(harness, org_id, done)
    await backup.restore()

    async with whole_service(settings, assistant_api_db, vapi) as harness:
        page = (await harness.get("/api/appointments", org_id)).json()
        assert [one["patientPhone"] for one in page["items"]] == ["+49151770077078"]
        shown = await receipt(harness, org_id, done)
        assert (shown["appointments"], shown["answers"], shown["erasedAt"]) == (2, 2, done["erasedAt"])
        assert shown["againAt"]
        assert {call["id"] for call in shown["calls"]} == {call["id"] for call in done["calls"]}
        assert found_in(await everything(harness.owner), ("770077077",)) == set()
        logged = await harness.owner.fetchrow("SELECT * FROM access_log WHERE action = 'appointments.erase_again'")
        assert logged is not None
        assert (logged["principal"], logged["role"], logged["object_id"]) == ("assistant-api", "service", done["id"])
        # The patient may come back, and is not erased by what was erased before.
        await _booked(Caller(harness), org_id, 12)
        assert await harness.service.erasure_guard.run_once() == 0
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        assert len(await Caller(harness).appointments(org_id)) == 2


async def test_who_came_back_before_the_backup_stays(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, backup: Backup
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await _clinic_with_a_patient(harness)
        await _listed(harness, org_id, await erase(harness, org_id, {"phone": PHONE}))
        await _booked(Caller(harness), org_id, 14)
        await backup.take()
    await backup.restore()

    async with whole_service(settings, assistant_api_db, vapi) as harness:
        phones = [row["patient_phone"] for row in await Caller(harness).appointments(org_id)]
        assert phones == ["+49151770077078", PHONE]


async def test_a_country_that_was_set_after_the_backup_changes_nothing(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, backup: Backup
) -> None:
    """In the backup nothing tells which number `0151 …` is; when it was erased, the country said so."""
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id, caller = await harness.organization(), Caller(harness)
        await _booked(caller, org_id, 8, "0151 770077077")
        await backup.take()
        path, zone = f"/api/organizations/{org_id}/calendar", {"timeZone": "Europe/Berlin"}
        assert (await harness.http.put(path, json=zone, headers=harness.bearer(org_id))).status_code == 200
        done = await erase(harness, org_id, {"phone": PHONE})
        assert done["appointments"] == 1
        await _listed(harness, org_id, done)
    await backup.restore()
    admin = await asyncpg.connect(assistant_api_db.owner)
    await admin.execute("UPDATE organizations SET time_zone = 'UTC'")
    await admin.close()

    async with whole_service(settings, assistant_api_db, vapi) as harness:
        assert await Caller(harness).appointments(org_id) == []


async def test_a_clinic_that_the_backup_does_not_have_costs_nothing(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, backup: Backup
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await _clinic_with_a_patient(harness)
        done = await erase(harness, org_id, {"phone": PHONE})
        await _listed(harness, org_id, done)
    await backup.restore()
    owner = await asyncpg.connect(assistant_api_db.admin)
    await owner.execute("DELETE FROM organizations")
    await owner.close()

    async with whole_service(settings, assistant_api_db, vapi) as harness:
        assert await harness.owner.fetchval("SELECT appointments FROM erasures") == 0


async def test_until_the_list_was_read_nobody_reads_patients_and_everything_else_goes_on(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id, caller = await harness.organization(), Caller(harness)
        harness.service.erasure_guard.suspend_reads()
        refused = await harness.get("/api/appointments", org_id)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert (await harness.post("/api/patients/export", {"phone": PHONE}, org_id)).status_code == 503
        assert "erasures" in (await harness.http.get("/readyz")).text
        await _booked(caller, org_id, 8)
        assert (await erase(harness, org_id, {"phone": PHONE}))["appointments"] == 1

        assert await harness.service.erasure_guard.run_once() == 0
        assert (await harness.get("/api/appointments", org_id)).status_code == 200


async def test_a_key_that_is_not_known_leaves_patients_unread_and_an_old_key_still_serves(
    settings: Settings, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, backup: Backup
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await _clinic_with_a_patient(harness)
        await backup.take()
        await _listed(harness, org_id, await erase(harness, org_id, {"phone": PHONE}))
    await backup.restore()
    other = Settings(**{**settings.model_dump(), "erasure_keys": "a-key-of-somebody-else"})
    async with running(other, assistant_api_db, vapi) as harness:
        harness.service.erasure_guard.suspend_reads()
        assert await harness.service.erasure_guard.run_once() == 0
        assert "ERASURE_KEYS" in (await harness.http.get("/readyz")).text
        assert (await harness.get("/api/appointments", org_id)).status_code == 503
        assert len(await Caller(harness).appointments(org_id)) == 3
    command = _command(settings, assistant_api_db, sandbox, ERASURE_KEYS="a-key-of-somebody-else")
    status, said = await _said(command, "erase", "verify")
    assert (status, "is not in ERASURE_KEYS" in said, "nothing of them is there" in said) == (2, True, False)

    rotated = Settings(**{**settings.model_dump(), "erasure_keys": "one-that-is-newer-still,the-newest-erasure-key"})
    async with running(rotated, assistant_api_db, vapi) as harness:
        assert await harness.service.erasure_guard.run_once() == 1
        assert len(await Caller(harness).appointments(org_id)) == 1


async def test_two_processes_that_start_at_once_erase_once(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, backup: Backup
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await _clinic_with_a_patient(harness)
        await backup.take()
        await _listed(harness, org_id, await erase(harness, org_id, {"phone": PHONE}))
    await backup.restore()
    other = Settings(**{**settings.model_dump(), "consumer_group": f"group-{uuid4()}"})
    async with whole_service(settings, assistant_api_db, vapi) as first, whole_service(other, assistant_api_db, vapi):
        assert await first.owner.fetchval("SELECT appointments FROM erasures") == 2
        assert len(await Caller(first).appointments(org_id)) == 1


async def test_verify_finds_what_came_back_and_erases_it_again_if_asked(
    settings: Settings, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, backup: Backup
) -> None:
    command = _command(settings, assistant_api_db, sandbox)
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await _clinic_with_a_patient(harness)
        await backup.take()
        done = await erase(harness, org_id, {"phone": PHONE})
        await _listed(harness, org_id, done)
        clean = await _said(command, "erase", "verify")
    await backup.restore()

    found = await _said(command, "erase", "verify")
    again = await _said(command, "erase", "verify", "--again")
    after = await _said(command, "erase", "verify")

    assert clean == (0, "1 erasures are on the list nothing of them is there")
    assert found[0] == 1
    assert f"organization {org_id}: 2 appointment(s) that erasure {done['id']}" in found[1]
    assert (again[0], "; erased again" in again[1], "patient_erased_again" in again[1]) == (1, True, True)
    assert after[0] == 0
    assert found_in(found[1] + again[1], ("770077077", "Canaria")) == set()


async def test_verify_without_kafka_says_that_nothing_was_compared(
    settings: Settings, assistant_api_db: DatabaseUrls, sandbox: Sandbox
) -> None:
    command = {**_command(settings, assistant_api_db, sandbox), "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    status, said = await _said(command, "erase", "verify")
    assert (status, "assistant-api: nothing was compared" in said) == (2, True), said


async def test_the_commands_erase_as_http_does(
    settings: Settings, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    command = _command(settings, assistant_api_db, sandbox)
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id, caller = await _clinic_with_a_patient(harness), Caller(harness)
        where = ("--org", str(org_id))
        exported = await _said(command, "export-phone", "0049 151 770077077", *where)
        by_phone = await _said(command, "erase", "phone", "0049 (151) 770077077", *where)
        (row,) = await caller.appointments(org_id)
        by_id = await _said(command, "erase", "appointment", str(row["id"]), *where)
        absent = await _said(command, "erase", "appointment", str(row["id"]), *where)
        nobody = await _said(command, "erase", "phone", "Canaria", *where)
        nowhere = await _said(command, "erase", "phone", PHONE, "--org", str(uuid4()))
        assert await caller.appointments(org_id) == []
        done = json.loads(by_phone[1])
        assert await _listed(harness, org_id, done)

    assert (exported[0], len(json.loads(exported[1])["appointments"])) == (0, 2)
    assert (by_phone[0], done["appointments"], by_id[0]) == (0, 2, 0)
    assert [one[0] for one in (absent, nobody, nowhere)] == [2, 2, 2]
    assert all(one[1].startswith("assistant-api: nothing was erased: ") for one in (absent, nobody, nowhere))
    assert found_in(by_phone[1] + by_id[1] + nobody[1]) == set()


@pytest.mark.parametrize("count", [0, 1])
async def test_records_that_nobody_can_read_hide_no_others(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, backup: Backup, kafka: TestKafka, count: int
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    for value in (b"", b"\xff", b"{}", json.dumps({"erasure_id": 1}).encode())[: 4 * count]:
        await producer.send_and_wait(settings.erasures_topic, value, b"key", headers=[("ce_type", b"x")])
    await producer.stop()
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await _clinic_with_a_patient(harness)
        await backup.take()
        await _listed(harness, org_id, await erase(harness, org_id, {"phone": PHONE}))
    await backup.restore()
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        assert len(await Caller(harness).appointments(org_id)) == 1
