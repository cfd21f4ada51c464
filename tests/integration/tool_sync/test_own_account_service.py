"""The whole process, Kafka, PostgreSQL and a Vapi with two accounts: records in any order, and no key in the clear."""

import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from devstack import process
from devstack.fixtures import TestKafka
from devstack.ports import HOST, free_port
from devstack.sandbox import not_answering
from tool_sync.settings import Settings
from vapi_sandbox import DEFAULT_KEY
from vapi_sandbox.settings import DEFAULT_VAPI_ORG
from zerotouch_contracts.accounts import VapiAccount, account_record
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import AssistantSaved, OrganizationSaved, ToolsSynced
from zerotouch_platform.vapi.envelope import EnvelopeKeys

from .test_service import running, until_ready
from .topics import LOG_ID, Topics

VAPI_ORG: Final = "7c1d0a5e-0000-4000-8000-000000000002"
ACCOUNT: Final = f"vapi-{VAPI_ORG}"
OWN_KEY: Final = "canary-own-key-31bd"
ENVELOPE: Final = "one:" + base64.b64encode(bytes(range(32))).decode()


@asynccontextmanager
async def two_accounts(log: Path) -> AsyncIterator[str]:
    """A sandbox in which each of two keys is another account's; its URL."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    keys = ("--key", f"{DEFAULT_KEY}={DEFAULT_VAPI_ORG}", "--key", f"{OWN_KEY}={VAPI_ORG}")
    child = process.start(
        "Vapi sandbox", [sys.executable, "-m", "vapi_sandbox", "--host", HOST, "--port", str(port), *keys], log=log
    )
    try:
        await child.ready(lambda: not_answering(url, OWN_KEY), 20.0)
        yield url
    finally:
        await child.stop()


async def made(vapi: httpx.AsyncClient) -> dict[str, Any]:
    answer = await vapi.post("/assistant", json={"name": "a", "model": {"provider": "openai", "model": "gpt-4o"}})
    assistant: dict[str, Any] = answer.raise_for_status().json()
    return assistant


def saved(org_id: UUID, assistant: dict[str, Any], account: str | None) -> AssistantSaved:
    return AssistantSaved(
        org_id=org_id,
        request_id=uuid4(),
        agent_id="agent-1",
        assistant_id=assistant["id"],
        revision=1,
        model_hash=model_hash(assistant["model"]),
        cause="save",
        vapi_account=account,
    )


async def test_each_clinic_is_worked_for_in_its_own_account_whichever_topic_comes_first(
    settings: Settings, kafka: TestKafka, topics: Topics, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    accounts_topic = await kafka.create_topic("accounts", cleanup_policy="compact")
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    own_org, other_org = uuid4(), uuid4()
    sealed = EnvelopeKeys.parse(ENVELOPE).seal(OWN_KEY, own_org, ACCOUNT)
    message = VapiAccount(
        org_id=own_org,
        account=ACCOUNT,
        sealed_key=sealed.text,
        key_fingerprint=sealed.fingerprint,
        tool_server_credential_id="own-credential",
        revision=1,
    )
    record = account_record(own_org, message, id=uuid4(), time=datetime.now(UTC), log_id=LOG_ID)
    async with (
        two_accounts(tmp_path / "sandbox.log") as url,
        httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {DEFAULT_KEY}"}) as platform,
        httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {OWN_KEY}"}) as own,
    ):
        changes = {
            "vapi_base_url": url,
            "vapi_api_key": DEFAULT_KEY,
            "vapi_accounts_topic": accounts_topic,
            "vapi_key_envelope_keys": ENVELOPE,
        }
        mine, theirs = saved(own_org, await made(own), ACCOUNT), saved(other_org, await made(platform), None)
        async with running(Settings(**{**settings.model_dump(), **changes})) as client:
            await until_ready(client)
            organizations = [OrganizationSaved(org_id=one, revision=1, name="Clinic") for one in (own_org, other_org)]
            await topics.send([topics.record(one, message_id=uuid4()) for one in organizations])
            await topics.send([topics.record(one, message_id=one.request_id) for one in (mine, theirs)])

            async def outcomes(count: int) -> list[Any]:
                found = [from_record(r.key, r.value, r.headers)[0] for r in await topics.outcomes()]
                return found if len(found) == count else []

            async def waits() -> bool:
                return "TS-204" in (await client.get("/readyz")).text

            (first,) = await eventually(lambda: outcomes(1), within_seconds=20)
            assert first.org_id == other_org, "the clinic without an account of its own waits for nobody"
            await eventually(waits, within_seconds=20)

            await producer.send_and_wait(accounts_topic, record.value, record.key, headers=list(record.headers))
            both = await eventually(lambda: outcomes(2), within_seconds=20)
            (second,) = [one for one in both if one.org_id == own_org]
            assert isinstance(second, ToolsSynced)
            assert (first.vapi_account, second.vapi_account) == ("platform", ACCOUNT)
            shown = [(await client.get(path)).text for path in ("/readyz", "/metrics")]
        for vapi, outcome in ((own, second), (platform, first)):
            (tool,) = (await vapi.get("/tool")).json()
            assert [tool["id"]] == [one.vapi_tool_id for one in outcome.tools]
            (assistant,) = (await vapi.get("/assistant")).json()
            assert assistant["model"]["toolIds"] == [tool["id"]]
        assert (await own.get("/tool")).json()[0]["server"]["credentialId"] == "own-credential"
    await producer.stop()
    printed = capfd.readouterr()
    topics_said = [str(r) for topic in (settings.outcomes_topic, settings.fleet_topic, accounts_topic)
                   for r in await topics.records(topic)]  # fmt: skip
    assert OWN_KEY not in "".join((printed.out, printed.err, *shown, *topics_said))
