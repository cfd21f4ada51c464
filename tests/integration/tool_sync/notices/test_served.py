"""The whole process: a clinic sets its webhook over HTTP and is told; it stops in time, whatever the receiver does."""

import base64
from uuid import uuid4

from tests.support.eventually import eventually

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog, fact, org_stream
from tool_sync.settings import Settings

from ..test_service import running, until_ready
from .conftest import KEY
from .receiver import Receiver, never, says


async def test_a_clinic_is_told_by_a_running_service_which_stops_in_time_whatever_the_receiver_does(
    settings: Settings, pool: db.Pool, event_log: EventLog, signer: Signer, receiver: Receiver
) -> None:
    org_id = uuid4()
    made = fact(
        org_stream(org_id), org_id, e.OrgRegistered("basic"), source="/t", cause="c", actor="t", service_version="0"
    )
    await event_log.append(made)
    more = {"notices_key": base64.b64encode(KEY).decode(), "tool_url_loopback_allowed": True}
    headers = {"Authorization": f"Bearer {signer.org_token(str(org_id), scope='settings:write')}"}
    path = f"/v1/orgs/{org_id}/notices"

    async def came(number: int) -> bool:
        return len(receiver.taken) >= number

    async with running(Settings(**{**settings.model_dump(), **more})) as client:
        await until_ready(client)
        answer = await client.put(path, json={"url": receiver.url}, headers=headers)
        assert answer.status_code == 201, answer.text
        assert (await client.post(f"{path}/test", headers=headers)).status_code == 202
        await eventually(lambda: came(1), within_seconds=20)
        assert receiver.types == ["notice.test"]
        assert receiver.taken[0].is_signed_with(answer.json()["secret"])

        async def is_recorded() -> bool:
            shown = (await client.get(path, headers=headers)).json()
            return (shown["state"], shown["waiting"]) == ("works", 0)

        await eventually(is_recorded)
        assert 'zerotouch_notices_total{result="delivered"' in (await client.get("/metrics")).text

        async def is_noted() -> bool:
            platform = {"Authorization": f"Bearer {signer.platform_token()}"}
            calls = await client.get(f"/v1/orgs/{org_id}/calls", headers=platform)
            return calls.raise_for_status().json()["counted_since"] is not None

        await eventually(is_noted, within_seconds=30)
        receiver.answer = never
        await client.post(f"{path}/test", headers=headers)
        await eventually(lambda: came(2), within_seconds=20)
    # Stopped within 5 s, as `running` asserts, with one on its way: its successor sends it again.
    receiver.answer = says(b"HTTP/1.1 204 X\r\n\r\n")
    async with running(Settings(**{**settings.model_dump(), **more})) as client:
        await eventually(lambda: came(3), within_seconds=20)
    assert receiver.taken[2].id == receiver.taken[1].id


async def test_without_a_key_nothing_is_sent_and_everything_else_works(
    settings: Settings, pool: db.Pool, event_log: EventLog, signer: Signer
) -> None:
    org_id = uuid4()
    made = fact(
        org_stream(org_id), org_id, e.OrgRegistered("basic"), source="/t", cause="c", actor="t", service_version="0"
    )
    await event_log.append(made)
    headers = {"Authorization": f"Bearer {signer.platform_token()}"}
    async with running(settings) as client:
        await until_ready(client)
        answer = await client.put(f"/v1/orgs/{org_id}/notices", json={"url": "https://93.184.216.34/"}, headers=headers)
        assert answer.status_code == 409
        assert (await client.get("/readyz")).status_code == 200
