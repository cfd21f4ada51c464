"""A clinic sets, tries, rotates and takes back its notices; nobody else does, and no secret is shown twice."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.http.app import build
from tool_sync.http.state import HttpState, Installed, NoticesDoor
from tool_sync.log import EventLog
from tool_sync.notices.names import Names
from tool_sync.notices.signing import SecretBox
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

from ..explain.clinic import Clinic
from .conftest import KEY, Desk
from .receiver import Receiver

URL = "https://93.184.216.34/notices"


class Http:
    """The API, for one clinic."""

    def __init__(self, client: httpx.AsyncClient, signer: Signer, clinic: Clinic, state: HttpState) -> None:
        self.client, self.signer, self.clinic, self.state = client, signer, clinic, state

    async def __call__(self, method: str, path: str = "", *, token: str | None = None, **more: Any) -> httpx.Response:
        whole = f"/v1/orgs/{self.clinic.org_id}/notices{path}"
        bearer = token or self.signer.org_token(str(self.clinic.org_id), scope="settings:write")
        return await self.client.request(method, whole, headers={"Authorization": f"Bearer {bearer}"}, **more)


@pytest.fixture
async def http(settings: Settings, pool: db.Pool, event_log: EventLog, signer: Signer) -> AsyncIterator[Http]:
    state = HttpState(TokenVerifier(settings), Health(check_seconds_max=0.2, starting=None), pool, log=event_log)
    state.installed = Installed("https://hooks.example/tools")
    state.notices = NoticesDoor(SecretBox(KEY), Names().addresses)
    transport = httpx.ASGITransport(build(state, telemetry.off()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tool-sync") as client:
        clinic = Clinic(event_log, pool, client, signer)
        await clinic.happened(e.OrgRegistered("basic"))
        yield Http(client, signer, clinic, state)


async def test_it_is_set_shown_without_its_secret_rotated_and_taken_back(http: Http, pool: db.Pool) -> None:
    assert (await http("GET")).status_code == 404
    made = await http("PUT", json={"url": URL})
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    shown = (await http("GET")).json()
    assert (shown["url"], shown["state"], shown["waiting"], shown["secret"]) == (URL, "works", 0, None)
    assert shown["set_by"].startswith("org:")
    again = await http("PUT", json={"url": f"{URL}/2"})
    assert (again.status_code, again.json()["secret"], again.json()["url"]) == (200, None, f"{URL}/2")
    rotated = await http("PUT", json={"url": URL, "rotate_secret": True})
    assert rotated.status_code == 201
    assert rotated.json()["secret"] not in (None, secret)
    assert rotated.json()["old_secret_until"] is not None
    stored = str([tuple(row) for row in await pool.fetch("SELECT * FROM notice_endpoints")])
    for one in (secret, rotated.json()["secret"]):
        assert one.removeprefix("whsec_") not in stored
    assert (await http("DELETE")).status_code == 204
    assert (await http("DELETE")).status_code == 404
    assert (await http("GET")).status_code == 404


async def test_a_test_and_a_replay(http: Http, desk: Desk, receiver: Receiver) -> None:
    assert (await http("POST", "/test")).status_code == 404
    assert (await http("POST", "/replay")).status_code == 404
    await desk.clinic(receiver.url, org_id=http.clinic.org_id)
    first = (await http("POST", "/test")).json()["message_id"]
    assert (await http("POST", "/test")).json()["message_id"] == first, "one that waits is enough"
    await desk.pool.execute("UPDATE notice_endpoints SET disabled_at = now(), disabled_why = 'gave_up'")
    assert (await http("GET")).json()["why"] == "nothing was taken for a day"
    sender = desk.sender()
    await desk.work(sender)
    assert receiver.taken == []
    answer = await http("POST", "/replay")
    assert (answer.status_code, answer.json()["state"], answer.json()["waiting"]) == (202, "works", 1)
    await desk.work(sender)
    assert (receiver.types, receiver.taken[0].id) == (["notice.test"], first)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://93.184.216.34/", "is not encrypted"),
        ("https://127.0.0.1/", "loopback"),
        ("https://10.0.0.1/", "private"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://[::1]/", "loopback"),
        ("https://2130706433/", "some read as 127.0.0.1"),
        ("https://localhost/", "loopback"),
        ("https://a:b@93.184.216.34/", "holds a user's name"),
        ("https://93.184.216.34/#x", "has a fragment"),
        ("https://nobody.invalid/", "does not resolve"),
        ("no url", "holds a character"),
        ("https://93.184.216.34/" + "x" * 300, "at most 255 characters"),
        (7, "valid string"),
    ],
)
async def test_a_url_that_is_not_public_is_refused(http: Http, url: Any, says: str) -> None:
    answer = await http("PUT", json={"url": url})
    assert answer.status_code == 422
    assert says in answer.text
    assert (await http("GET")).status_code == 404


async def test_who_may(http: Http) -> None:
    org_id, signer = str(http.clinic.org_id), http.signer
    tokens = {
        "reads only": (signer.org_token(org_id, scope="sync"), 403),
        "another clinic's": (signer.org_token(str(uuid4())), 404),
        "whole": (signer.org_token(org_id), 201),
        "platform": (signer.platform_token(), 200),
    }
    for name, (token, status) in tokens.items():
        assert (await http("PUT", token=token, json={"url": URL})).status_code == status, name
    stranger = tokens["another clinic's"][0]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/replay")):
        assert (await http(method, path, token=stranger)).status_code == 404
    assert (await http("GET")).json()["set_by"].startswith("platform:")


async def test_without_a_key_nothing_is_set_and_a_deleted_clinic_sets_nothing(http: Http) -> None:
    door, http.state.notices = http.state.notices, None
    answer = await http("PUT", json={"url": URL})
    assert (answer.status_code, "NOTICES_KEY" in answer.text) == (409, True)
    http.state.notices = door
    await http("PUT", json={"url": URL})
    await http.clinic.happened(e.OrgClosed())
    assert (await http("GET")).status_code == 404
    assert (await http("PUT", json={"url": URL})).status_code == 409
    http.clinic.org_id = uuid4()
    assert (await http("PUT", json={"url": URL}, token=http.signer.platform_token())).status_code == 404
