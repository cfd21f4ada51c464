"""assistant-api with its clinics: the service as it is, over PostgreSQL and the sandbox, without limits of rate."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final
from uuid import UUID

import asyncpg
import jwt
from tests.integration.assistant_api.harness import Harness, Vapi, make_settings, running
from tests.integration.assistant_api.tool_calls.calling import booking, call, day, message
from tests.integration.assistant_api.vapi_accounts import ENVELOPE, fill
from tests.support.eventually import eventually
from tests.support.route_needs import SIGNER

from assistant_api.app.application import create_app
from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox, account_key
from devstack.tokens import AUDIENCE, ISSUER
from zerotouch_platform.vapi.key_name import fingerprint_of

from .clinic import SHARED_AGENT, Clinic, Clinics, word
from .world import World

WEBHOOK_TOKEN: Final = "webhook-token-of-the-matrix"
_ROWS: Final = """
WITH appointment AS (
    INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, notes, starts_at, ends_at,
                              call_id, tool_call_id)
    SELECT id, gen_random_uuid(), calendar, $2, $3, $4, $5, now() + n * interval '1 day',
           now() + n * interval '1 day 1 hour', $6, 'call-' || n
      FROM organizations, generate_series(1, 3) AS n WHERE id = $1
), erasable AS (
    INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, notes, starts_at, ends_at,
                              call_id, tool_call_id)
    SELECT id, $12, calendar, $2, $13, $4, $5, now() + interval '9 days', now() + interval '9 days 1 hour', $6, 'call-9'
      FROM organizations WHERE id = $1
), erased AS (
    INSERT INTO erasures (id, org_id, erased_at, principal, appointments, answers, key_id, hashes)
    SELECT id, $1, now(), $15, 1, 1, 'key', ARRAY[md5(id::text)]
      FROM unnest(ARRAY[$14::uuid, gen_random_uuid()]) AS id
), answered AS (
    INSERT INTO tool_calls (org_id, call_id, tool_call_id, tool, code, failed, answer)
    VALUES ($1, $6, 'call-1', 'bookClinicAppointment', 'booked', false, $7)
)
INSERT INTO outcomes (org_id, agent_id, sequence, event_id, synced, assistant_id, revision, tools, failed_tools, code,
                      message, trace_id, occurred_at)
SELECT org_id, id, 1, gen_random_uuid()::text, false, vapi_assistant_id, saved_revision, '{}', ARRAY[$8], 'TS-201', $9,
       $10, now()
  FROM agents WHERE org_id = $1 AND id = $11
"""
_ASSISTANT: Final = "SELECT vapi_assistant_id FROM agents WHERE org_id = $1 AND id = $2"
_MESSAGE: Final = "UPDATE outbox SET body = body || jsonb_build_object('canary', $2::text) WHERE org_id = $1"
_OPEN_SAVE: Final = """
INSERT INTO saves (request_id, org_id, agent_id, revision, cause) VALUES (gen_random_uuid(), $1, $2, 1000000, 'save')
"""


def settings_of(urls: DatabaseUrls, sandbox: Sandbox, installation_id: UUID) -> Settings:
    """The service's settings for one database."""
    rates = ("org", "platform", "address")
    return make_settings(
        urls,
        sandbox,
        installation_id=installation_id,
        jwt_public_key=SIGNER.public_key,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        vapi_webhook_tokens=WEBHOOK_TOKEN,
        vapi_key_by_clinic=True,
        vapi_key_envelope_keys=ENVELOPE,
        vapi_requests_per_minute=1_000_000,
        answer_wait_seconds=1,
        **{f"limit_{of}_requests_per_second": 1e6 for of in rates},
        **{f"limit_{of}_bytes_per_second": 1e9 for of in rates},
        limit_org_work_share=1,
        limit_token_share=1,
    )


async def filled(urls: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, installation_id: UUID, random: Random) -> Clinics:
    """Make the clinics in a database; nobody is connected to it afterwards."""
    await fill(sandbox.url, "a")
    async with running(settings_of(urls, sandbox, installation_id), urls, vapi) as harness:
        own, foreign, deleted = [await _clinic(harness, random) for _ in range(3)]
        platform = {"Authorization": f"Bearer {_token(None)}"}
        (await harness.http.delete(f"/api/organizations/{deleted.org_id}", headers=platform)).raise_for_status()
        await harness.removed()
        # Whose account may be deleted is what is asked here, and not when: these clinics have agents.
        await harness.owner.execute("ALTER TABLE vapi_accounts DISABLE TRIGGER vapi_accounts_keep_last")
    facts = _facts(random, UUID(int=random.getrandbits(128), version=4), "0" * 8 + "-0000-4000-8000-" + "0" * 12)
    return Clinics(own, foreign, Clinic(UUID(facts["org"]), facts), deleted)


@asynccontextmanager
async def opened(
    urls: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, installation_id: UUID, clinics: Clinics
) -> AsyncIterator[World]:
    """The service over a database with these clinics."""
    settings = settings_of(urls, sandbox, installation_id)
    admin = await asyncpg.connect(urls.admin)
    try:
        async with running(settings, urls, vapi) as harness:
            app = create_app(harness.service.parts)
            right = {**RIGHT, "key": fingerprint_of(sandbox.api_key), "minute": int(time.time() // 60)}
            own = {"POST /api/vapi/tool-calls": WEBHOOK_TOKEN}
            yield World("assistant_api", app, app.openapi(), clinics, SIGNER.private_key, admin, right, own)
    finally:
        await admin.close()


RIGHT: Final[dict[str, Any]] = {
    "name": "Clinic",
    "timeZone": "Europe/Berlin",
    "phone": "+4915112345678",
    "tool": "bookClinicAppointment",
    "arguments": {
        "patientName": "Erika Example", "patientPhone": "+4915112345678", "service": "Check-up",
        "appointmentDate": day(), "appointmentTime": "10:00",
    },
    "requests": 1,
    "PUT /api/organizations/{org_id}/vapi-key key": account_key("a", 2),
}  # fmt: skip


async def _clinic(harness: Harness, random: Random) -> Clinic:
    """A clinic with agents that are at Vapi, appointments, an outcome and a line in its access log."""
    org_id = UUID(int=random.getrandbits(128), version=4)
    said = {what: word(random) for what in _SHOWN}
    hidden = {what: word(random) for what in _HIDDEN}
    said["phone"] = f"+49151{random.randrange(10**8):08}"
    facts = _facts(random, org_id, "")
    platform = {"Authorization": f"Bearer {_token(None)}"}
    body: dict[str, Any] = {"id": str(org_id), "name": hidden["organization"], "services": [said["offered"]]}
    (await harness.http.post("/api/organizations", json=body, headers=platform)).raise_for_status()
    account = {"key": account_key("a"), "toolServerCredentialId": said["credential"]}
    path = f"/api/organizations/{org_id}/vapi-key"
    (await harness.http.put(path, json=account, headers=platform)).raise_for_status()
    own = {"Authorization": f"Bearer {_token(org_id, facts['principal'])}", "X-Access-Reason": said["reason"]}
    for agent_id in (facts["agent"], SHARED_AGENT):
        words = {"name": said["agent name"], "systemPrompt": said["prompt"], "firstMessage": said["greeting"]}
        body = {"id": agent_id, **words}
        (await harness.http.post("/api/agents", json=body, headers=own)).raise_for_status()
    facts["assistant"] = await eventually(
        lambda: harness.owner.fetchval(_ASSISTANT, org_id, facts["agent"]), within_seconds=10
    )
    await harness.owner.execute(_MESSAGE, org_id, hidden["message"])
    await harness.owner.execute(_OPEN_SAVE, org_id, SHARED_AGENT)
    values = [said["patient"], said["phone"], said["service"], said["notes"], f"conversation-{said['notes']}"]
    rest = [hidden["told"], said["lost tool"], said["outcome"], facts["trace"], facts["agent"]]
    erasable = [UUID(facts["appointment"]), facts["phone"], UUID(facts["erasure"]), facts["principal"]]
    await harness.owner.execute(_ROWS, org_id, *values, *rest, *erasable)
    facts["call"] = message(call(booking(org_id, patientName=said["patient"], patientPhone=said["phone"])))["message"]
    return Clinic(org_id, facts, {**said, "principal": facts["principal"]}, hidden)


_SHOWN: Final = (
    "offered", "reason", "agent name", "prompt", "greeting", "patient", "service", "notes", "lost tool", "outcome",
    "credential",
)  # fmt: skip
_HIDDEN: Final = ("organization", "message", "told")


def _facts(random: Random, org_id: UUID, assistant: str) -> dict[str, Any]:
    return {
        "org": str(org_id),
        "agent": word(random),
        "assistant": assistant,
        "trace": f"{random.getrandbits(128):032x}",
        "principal": word(random),
        "erasure": str(UUID(int=random.getrandbits(128), version=4)),
        "appointment": str(UUID(int=random.getrandbits(128), version=4)),
        "phone": f"+49160{random.randrange(10**7):07}",
        "call": message(call(booking(org_id)))["message"],
    }


def _token(org_id: UUID | None, subject: str = "x") -> str:
    claims = {"role": "platform"} if org_id is None else {"role": "org", "org_id": str(org_id)}
    base = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": int(time.time()) + 3600}
    return jwt.encode(base | claims, SIGNER.private_key, "EdDSA")
