"""A clinic's status in a frame of its own site: what it says, until when, and that nothing can be done there."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.console import glances
from tool_sync.console.access import NEEDS
from tool_sync.console.app import HEADERS
from tool_sync.domain import events as e
from tool_sync.http.state import ConsoleDoor, HttpState
from tool_sync.queries.status_links import DAYS_MAX, LINKS_MAX, forget_status_links
from zerotouch_platform.auth import Need

from ..explain.clinic import TOOL, Clinic
from ..explain.test_bookings import booked
from ..explain.test_coverage import failed, save, synced
from .clinics import Members, call
from .clinics import clinic_ as clinic_
from .clinics import member as member
from .conftest import FRAME_ANCESTORS, Browser, said
from .test_clinic import equipped

WISH = {"label": "praxis.example, front page"}
GONE = "This address shows nothing."


class Links:
    """The HTTP API, and whoever has an address."""

    def __init__(self, clinic: Clinic, signer: Signer, make_browser: Callable[[], Browser]) -> None:
        self.clinic, self.signer, self._make_browser = clinic, signer, make_browser

    async def ask(
        self, method: str, path: str = "", *, token: str | None = None, org_id: UUID | None = None, **more: Any
    ) -> httpx.Response:
        org = org_id or self.clinic.org_id
        bearer = token or self.signer.org_token(str(org), scope="settings:write")
        client = self._make_browser().client
        url = f"/v1/orgs/{org}/status-links{path}"
        return await client.request(method, url, headers={"Authorization": f"Bearer {bearer}"}, **more)

    async def made(self, **wish: Any) -> dict[str, Any]:
        answer = await self.ask("POST", json={**WISH, **wish})
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def shown(self, url: str) -> httpx.Response:
        """As a stranger's browser has it, which follows nothing."""
        return await self._make_browser().client.get(url)


@pytest.fixture
def links(
    clinic: Clinic, signer: Signer, make_browser: Callable[[], Browser], monkeypatch: pytest.MonkeyPatch
) -> Links:
    """Each look is a new one."""
    monkeypatch.setattr(glances, "KEPT_SECONDS", -1.0)
    return Links(clinic, signer, make_browser)


async def test_it_says_whether_since_when_and_the_last_booking_and_nothing_can_be_done(links: Links) -> None:
    await equipped(links.clinic)
    await call(links.clinic, "Praxis Adler")
    await links.clinic.happened(e.OrgTierChanged("basic", "Pacific/Auckland"))
    await booked(links.clinic)
    made = await links.made()
    answer = await links.shown(made["url"])
    words = said(answer.text)
    assert answer.status_code == 200
    told = r"Your assistant can book since \S+\. Last booking today \d\d:\d\d \(Pacific/Auckland\) As of \S+ UTC"
    assert re.search(told, words), words
    for tag in ("<form", "<script", "<a ", "<button", "<input", "<iframe", "<meta http-equiv", " on", "style="):
        assert tag not in answer.text, tag
    for secret in (str(links.clinic.org_id), "Praxis Adler", "agent-1", "tool-1", WISH["label"]):
        assert secret not in answer.text


async def test_its_headers_let_the_named_sites_frame_it_and_nobody_keep_it(links: Links) -> None:
    await equipped(links.clinic)
    made = await links.made()
    good, gone = await links.shown(made["url"]), await links.shown(f"/console/embed/{'A' * 43}")
    for answer in (good, gone):
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy == {
            "default-src": "'none'", "style-src": "'self'", "form-action": "'none'", "base-uri": "'none'",
            "frame-ancestors": " ".join(FRAME_ANCESTORS),
        }  # fmt: skip
        assert "set-cookie" not in answer.headers
        assert "x-frame-options" not in answer.headers
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Robots-Tag"] == "noindex"
    assert (good.headers["Refresh"], "refresh" in gone.headers) == ("60", False)


async def test_no_other_page_can_be_framed(links: Links, operator: Browser) -> None:
    await equipped(links.clinic)
    paths = [
        path.format(org_id=links.clinic.org_id, agent_id="agent-1", tool=TOOL, version=1, code="A" * 43, job_id=1,
                    rollout_id="none")
        for (method, path), need in NEEDS.items()
        if method == "GET" and path not in ("/embed/{code}", "/live/stream") and need is not Need.NOTHING
    ]  # fmt: skip
    assert len(paths) > 20
    for path in (*paths, "/login", f"/enter/{'A' * 43}", "/nowhere", "/embed", "/embed/a/b", "/static/console.css"):
        answer = await operator.client.get(f"/console{path}")
        assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"], path
        assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


async def test_what_people_wrote_and_who_they_are_is_not_told(links: Links) -> None:
    await equipped(links.clinic)
    made = await links.made()
    await links.clinic.happened(e.ToolSettingChanged(TOOL, False, reason="Dr. Huber is away"))
    words = said((await links.shown(made["url"])).text)
    assert re.search(r"Your assistant cannot book since \d\d:\d\d\.", words), words
    for secret in ("Huber", "switched", "tool-sync", "operator", "test"):
        assert secret not in words


async def test_several_assistants_are_counted_and_those_that_cannot_are_told_without_their_names(links: Links) -> None:
    clinic = links.clinic
    await equipped(clinic)
    await clinic.happened(save("agent-2"), failed("agent-2", "TS-304"), save("agent-3"), synced("agent-3", "tool-1"))
    await call(clinic, "Night line", "agent-2")
    words = said((await links.shown((await links.made())["url"])).text)
    assert "2 of 3 assistants can book. One cannot book since " in words
    for secret in ("agent-", "Night line", "TS-304", "model"):
        assert secret not in words


async def test_a_clinic_without_assistants_or_tools_has_a_sentence(links: Links) -> None:
    await links.clinic.happened(e.OrgRegistered("basic"))
    assert "No assistant takes bookings." in said((await links.shown((await links.made())["url"])).text)


async def test_what_is_no_address_has_one_page(
    links: Links, pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await equipped(links.clinic)
    late, taken, good = [(await links.made())["url"] for _ in range(3)]
    hashed = "SELECT id FROM status_links ORDER BY made_at"
    first, second, _ = [row["id"] for row in await pool.fetch(hashed)]
    await admin.execute("UPDATE status_links SET expires_at = now() - interval '1 second' WHERE id = $1", first)
    assert (await links.shown(taken)).status_code == 200
    assert (await links.ask("DELETE", f"/{second}")).status_code == 204
    code = good.rpartition("/")[2]
    flipped = (
        base64.urlsafe_b64encode(
            bytes([base64.urlsafe_b64decode(f"{code}=")[0] ^ 1]) + base64.urlsafe_b64decode(f"{code}=")[1:]
        )
        .decode()
        .rstrip("=")
    )
    base = good.rpartition("/")[0]
    others = ("A" * 43, "x", flipped, f"{code}=", code[:-1], f"{code}A", "ä" * 43, "A" * 8000, str(first), "%00" * 43)
    pages = set()
    for url in (late, taken, *(f"{base}/{one}" for one in others)):
        answer = await links.shown(url)
        assert answer.status_code == 404, url
        pages.add((answer.text, answer.headers["Content-Security-Policy"]))
    assert len(pages) == 1
    assert GONE in said(next(iter(pages))[0])
    assert (await links.shown(good)).status_code == 200
    await forget_status_links(pool)
    assert await pool.fetchval("SELECT count(*) FROM status_links") == 1


async def test_a_deleted_clinic_s_address_shows_nothing(links: Links, pool: db.Pool) -> None:
    await equipped(links.clinic)
    made = await links.made()
    await links.clinic.happened(e.OrgClosed())
    assert (await links.shown(made["url"])).status_code == 404
    assert await pool.fetchval("SELECT count(*) FROM status_links") == 0
    assert (await links.ask("POST", json=WISH)).status_code == 409


async def test_it_is_made_listed_and_taken_back_by_the_clinic_and_the_platform_alone(
    links: Links, signer: Signer, pool: db.Pool
) -> None:
    clinic, other = links.clinic, uuid4()
    await equipped(clinic)
    await clinic.happened(e.OrgRegistered("basic"), org_id=other)
    answer = await links.ask("POST", json={**WISH, "days": DAYS_MAX})
    made = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert made["html"] == (
        f'<iframe src="{made["url"]}" title="Can our assistant book?" width="320" height="280" loading="lazy"></iframe>'
    )
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=DAYS_MAX - 1) < ends <= timedelta(days=DAYS_MAX)
    listed = (await links.ask("GET")).json()["links"]
    assert [(one["id"], one["label"]) for one in listed] == [(made["id"], WISH["label"])]
    assert listed[0]["made_by"].startswith("org:")
    code = made["url"].rpartition("/")[2]
    assert code not in str(listed)
    assert code not in str([tuple(row) for row in await pool.fetch("SELECT * FROM status_links")])

    stranger, reader = signer.org_token(str(other)), signer.org_token(str(clinic.org_id), scope="sync")
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{made['id']}")):
        foreign = await links.ask(method, path, token=stranger, json=WISH if method == "POST" else None)
        assert foreign.status_code == 404, (method, foreign.text)
        status = (await links.ask(method, path, token=reader, json=WISH if method == "POST" else None)).status_code
        assert status == (200 if method == "GET" else 403), method
    assert (await links.ask("DELETE", f"/{made['id']}", org_id=other)).status_code == 404, "not this clinic's"
    assert (await links.shown(made["url"])).status_code == 200
    platform = signer.platform_token()
    assert (await links.ask("POST", token=platform, json=WISH)).json()["made_by"].startswith("platform:")
    assert (await links.ask("DELETE", f"/{made['id']}", token=platform)).status_code == 204
    assert (await links.ask("DELETE", f"/{made['id']}", token=platform)).status_code == 404
    assert (await links.ask("POST", token=platform, json=WISH, org_id=uuid4())).status_code == 404


@pytest.mark.parametrize(
    "wish",
    [
        {}, {"label": ""}, {"label": "  "}, {"label": "a\nb"}, {"label": "x" * 101}, {"label": "a\u202eb"},
        {"label": 7},
        {**WISH, "days": 0}, {**WISH, "days": DAYS_MAX + 1}, {**WISH, "days": "30"}, {**WISH, "url": "https://a.example"},
    ],
)  # fmt: skip
async def test_a_wish_that_is_not_valid_makes_nothing(links: Links, pool: db.Pool, wish: dict[str, Any]) -> None:
    await equipped(links.clinic)
    assert (await links.ask("POST", json=wish)).status_code == 422
    assert await pool.fetchval("SELECT count(*) FROM status_links") == 0


async def test_a_clinic_has_so_many_and_no_more(links: Links, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await equipped(links.clinic)
    for _ in range(LINKS_MAX):
        await links.made()
    answer = await links.ask("POST", json=WISH)
    assert (answer.status_code, f"has {LINKS_MAX} status links" in answer.text) == (409, True)
    await admin.execute("UPDATE status_links SET expires_at = now()")
    await links.made()


async def test_where_no_site_is_named_nothing_is_embedded_and_what_was_can_be_taken_back(
    links: Links, http_state: HttpState, operator: Browser
) -> None:
    await equipped(links.clinic)
    made = await links.made()
    door = http_state.console
    assert door is not None
    for off in (ConsoleDoor(door.url, door.seal), ConsoleDoor(None, door.seal, FRAME_ANCESTORS)):
        http_state.console = off
        answer = await links.ask("POST", json=WISH)
        assert (answer.status_code, "CONSOLE_FRAME_ANCESTORS" in answer.text) == (409, True)
    http_state.console = ConsoleDoor(door.url, door.seal)
    answer = await links.shown(made["url"])
    assert (answer.status_code, "'none'" in answer.headers["Content-Security-Policy"]) == (404, True)
    assert "Make an address" not in await operator.text(f"/orgs/{links.clinic.org_id}")
    assert (await links.ask("DELETE", f"/{made['id']}")).status_code == 204


async def test_the_page_says_so_where_the_database_is_away_and_looks_again(links: Links, http_state: HttpState) -> None:
    await equipped(links.clinic)
    made = await links.made()
    http_state.pool = None
    answer = await links.shown(made["url"])
    assert (answer.status_code, answer.headers["Refresh"]) == (503, "60")
    assert "Just now this is not known" in said(answer.text)
    assert FRAME_ANCESTORS[0] in answer.headers["Content-Security-Policy"]


async def test_a_cookie_changes_nothing_of_it(links: Links, member: Members) -> None:
    await equipped(links.clinic)
    made = await links.made()
    own = await member()
    answer = await own.client.get(made["url"])
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    assert "<form" not in answer.text


async def test_the_clinic_s_page_makes_one_shows_it_once_and_takes_it_back(links: Links, member: Members) -> None:
    await equipped(links.clinic)
    own, here = await member(), f"/orgs/{links.clinic.org_id}"
    label = '<script>alert("x")</script>'
    made = await own.send(f"{here}/status-links", on=here, label=label, days="30")
    assert made.status_code == 200
    (frame,) = re.findall(r'<iframe src="(\S+)" title=', said_raw(made.text))
    assert (await links.shown(frame)).status_code == 200
    text = (await own.get(here)).text
    assert "&lt;script&gt;alert(" in text
    assert label not in text
    assert frame not in text, "it is shown once"
    (path,) = re.findall(r'action="/console(/orgs/\S+/status-links/\S+/remove)"', text)
    reader = await member(scope="sync")
    assert "Make an address" not in await reader.text(here)
    assert (await reader.send(path, on=here)).status_code == 403
    assert (await own.client.post(f"/console{path}")).status_code == 403, "no form of ours"
    assert (await own.send(path, on=here)).status_code == 200
    assert (await links.shown(frame)).status_code == 404
    for days in ("0", "401", "-1", "x", "٣", "9" * 400):
        assert (await own.send(f"{here}/status-links", on=here, label="a", days=days)).status_code == 422, days


def said_raw(page: str) -> str:
    """What stands between a page's tags, with the tags that it speaks of."""
    (pre,) = re.findall(r"<pre[^>]*>(.*?)</pre>", page, flags=re.DOTALL)
    return unescape(pre)


async def test_visitors_who_ask_at_once_cost_one_look(links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glances, "KEPT_SECONDS", 60.0)
    await equipped(links.clinic)
    made, second = await links.made(), await links.made()
    before = said((await links.shown(made["url"])).text)
    await links.clinic.happened(e.ToolSettingChanged(TOOL, False))
    assert said((await links.shown(second["url"])).text) == before
    assert (await links.ask("DELETE", f"/{made['id']}")).status_code == 204
    assert (await links.shown(made["url"])).status_code == 404, "that is never kept"
