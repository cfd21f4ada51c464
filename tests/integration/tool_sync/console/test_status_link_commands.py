"""``tool-sync status-links`` as an operator has it: what HTTP does, with who and why, and each way to be refused."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.support.unfolded import unfolded

from devstack.databases import DatabaseUrls
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.console import glances
from tool_sync.domain import events as e
from tool_sync.queries.status_links import DAYS_DEFAULT, DAYS_MAX, LABEL_CHARACTERS_MAX, LINKS_MAX
from zerotouch_platform.operators import operator

from ..command import command, envelope, result
from ..explain.clinic import Clinic
from .clinics import Members, call
from .clinics import clinic_ as clinic_
from .clinics import member as member
from .conftest import FRAME_ANCESTORS, Browser, said
from .test_clinic import equipped

LABEL = "praxis.example, front page"
REASON = ("--reason", "the clinic asked")
SERVICE = {"CONSOLE_URL": "http://tool-sync/", "CONSOLE_FRAME_ANCESTORS": " ".join(FRAME_ANCESTORS)}
NEVER = str(UUID(int=7))


class Terminal:
    """The commands, of one clinic."""

    def __init__(self, urls: DatabaseUrls, org_id: UUID) -> None:
        self.urls, self.org_id = urls, org_id

    async def __call__(self, verb: str, *more: str, **env: str) -> tuple[int | None, str, str]:
        """With the service's own settings, and what ``env`` says otherwise."""
        reason = () if verb == "list" else REASON
        words = ("status-links", verb, str(self.org_id), *more, *reason)
        return await command(*words, database_url=env.pop("database_url", self.urls.service), **(SERVICE | env))

    async def made(self, *more: str) -> Any:
        """One more, as ``make --json`` has it."""
        status, stdout, stderr = await self("make", LABEL, *more, "--json")
        assert status == 0, stderr
        return result(stdout)

    async def ids(self) -> list[str]:
        """Of those that are good."""
        return [one["id"] for one in result((await self("list", "--json"))[1])]

    async def actions(self) -> list[tuple[str, str, str, str]]:
        """What is kept of who did what, the newest first."""
        kept = result((await command("access", "list", "--json", database_url=self.urls.service))[1])
        return [(row["principal"], row["action"], row["object_id"], row["reason"]) for row in kept]


@pytest.fixture
async def links(tool_sync_db: DatabaseUrls, clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The commands, of a clinic that can book; each look is a new one."""
    monkeypatch.setattr(glances, "KEPT_SECONDS", -1.0)
    await equipped(clinic)
    return Terminal(tool_sync_db, clinic.org_id)


async def test_what_is_made_in_a_terminal_is_a_page_that_strangers_read_until_it_is_taken_back(
    links: Terminal, clinic: Clinic, browser: Browser
) -> None:
    await call(clinic, "Praxis Adler")
    assert await links("list") == (0, f"status links of Praxis Adler ({links.org_id}): none\n", "")
    status, stdout, stderr = await links("make", LABEL)
    assert status == 0, stderr
    words = unfolded(stdout)
    (link,) = re.findall(rf"status link (\S+) of {links.org_id} ", words)
    (url,) = re.findall(r"address, shown this once: (\S+)", words)
    assert f'copy this into the page: <iframe src="{url}" title="Can our assistant book?" ' in words
    assert url.startswith("http://tool-sync/console/embed/")
    answer = await browser.client.get(url)
    assert (answer.status_code, "Your assistant can book since" in said(answer.text)) == (200, True)

    _, listed, _ = await links("list")
    assert f"status links of Praxis Adler ({links.org_id}): 1" in listed
    for told in (link, f"label: {LABEL}", "good until: 20", f"made by: {operator()} at 20"):
        assert told in listed
    assert url.rpartition("/")[2] not in listed + (await links("list", "--json"))[1], "it is shown once"

    taken = f"status link {link} of {links.org_id} is taken back: it shows nothing any more"
    status, stdout, _ = await links("remove", link)
    assert (status, unfolded(stdout)) == (0, taken)
    assert (await browser.client.get(url)).status_code == 404
    assert await links.ids() == []
    done = (operator(), f"{links.org_id}/{link}", "the clinic asked")
    assert [(who, what, why) for who, _, what, why in await links.actions()] == [done, done]
    assert [action for _, action, _, _ in await links.actions()] == ["status_link.remove", "status_link.make"]


async def test_one_table_for_the_terminal_http_and_the_clinic_s_page(
    links: Terminal, make_browser: Callable[[], Browser], member: Members, operator: Browser, signer: Signer
) -> None:
    ours = await links.made()
    http = make_browser().client
    path = f"/v1/orgs/{links.org_id}/status-links"
    bearer = {"Authorization": f"Bearer {signer.org_token(str(links.org_id), scope='settings:write')}"}
    theirs = (await http.post(path, json={"label": "intranet"}, headers=bearer)).json()
    assert sorted(theirs) == sorted(ours), "both say the same of one"
    assert await links.ids() == [ours["id"], theirs["id"]]
    listed = result((await links("list", "--json"))[1])
    assert listed == (await http.get(path, headers=bearer)).json()["links"]
    own, here = await member(), f"/orgs/{links.org_id}"
    assert LABEL in await own.text(here)
    line = f"tool-sync status-links make {links.org_id} LABEL --reason TEXT"
    assert line in await operator.text(here)
    assert line not in await own.text(here), "a clinic has no terminal of ours"
    assert (await links("remove", theirs["id"]))[0] == 0
    assert (await http.get(theirs["url"])).status_code == 404
    assert (await http.delete(f"{path}/{ours['id']}", headers=bearer)).status_code == 204
    assert await links.ids() == []


async def test_json_has_the_envelope_and_the_days_that_were_asked_for(links: Terminal) -> None:
    for days, options in ((DAYS_DEFAULT, ()), (DAYS_MAX, ("--days", str(DAYS_MAX))), (1, ("--days", "1"))):
        status, stdout, _ = await links("make", LABEL, *options, "--json")
        document = envelope(stdout)
        assert (status, document["command"], document["complete"]) == (0, "status-links make", True)
        left = datetime.fromisoformat(document["result"]["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=days - 1) < left <= timedelta(days=days)
    assert envelope((await links("list", "--json"))[1])["command"] == "status-links list"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("",), "LABEL must be one line that can be printed"),
        (("  ",), "LABEL must be one line that can be printed"),
        (("a\nb",), "LABEL must be one line that can be printed"),
        (("a\x1b[31m\u202eb",), "LABEL must be one line that can be printed"),
        (("x" * (LABEL_CHARACTERS_MAX + 1),), f"LABEL must be {LABEL_CHARACTERS_MAX} characters at most"),
        ((LABEL, "--days", "0"), "Input should be greater than or equal to 1"),
        ((LABEL, "--days", str(DAYS_MAX + 1)), f"Input should be less than or equal to {DAYS_MAX}"),
        ((LABEL, "--days", "soon"), "Input should be a valid integer"),
    ],
)
async def test_a_wish_that_is_not_valid_makes_nothing(links: Terminal, words: tuple[str, ...], says: str) -> None:
    status, stdout, stderr = await links("make", *words)
    assert (status, stdout) == (2, "")
    assert says in " ".join(stderr.replace("│", " ").split()), stderr
    assert "\x1b[31m" not in stderr
    assert (await links.ids(), await links.actions()) == ([], [])


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"CONSOLE_URL": ""}, "CONSOLE_URL is not set"),
        ({"CONSOLE_URL": "tools.example.com"}, "CONSOLE_URL must be"),
        ({"CONSOLE_FRAME_ANCESTORS": ""}, "CONSOLE_FRAME_ANCESTORS is not set"),
        ({"CONSOLE_FRAME_ANCESTORS": "*"}, "CONSOLE_FRAME_ANCESTORS must be origins"),
        ({"CONSOLE_FRAME_ANCESTORS": "http://praxis.example"}, "CONSOLE_FRAME_ANCESTORS must be https origins"),
    ],
)
async def test_where_nothing_can_be_embedded_nothing_is_made_and_what_was_can_be_taken_back(
    links: Terminal, env: dict[str, str], says: str
) -> None:
    made = await links.made()
    status, stdout, stderr = await links("make", LABEL, **env)
    assert (status, stdout) == (2, "")
    assert (stderr.startswith(f"tool-sync: {says}"), stderr.count("\n")) == (True, 1), stderr
    assert await links.ids() == [made["id"]]
    assert (await links("remove", made["id"], **env))[0] == 0


async def test_a_link_is_taken_back_once_and_by_its_own_clinic_alone(links: Terminal, clinic: Clinic) -> None:
    made = await links.made()
    other = Terminal(links.urls, uuid4())
    await clinic.happened(e.OrgRegistered("basic"), org_id=other.org_id)

    async def refused(terminal: Terminal, link: str) -> None:
        status, stdout, stderr = await terminal("remove", link)
        assert (status, stdout, stderr.count("\n")) == (2, "", 1)
        assert stderr.startswith(f"tool-sync: organization {terminal.org_id} has no status link {link}; ")

    await refused(other, made["id"])
    assert await other.ids() == []
    await refused(links, NEVER)
    assert await links.ids() == [made["id"]]
    assert (await links("remove", made["id"]))[0] == 0
    await refused(links, made["id"])
    status, _, stderr = await links("remove", "no-id")
    assert (status, "Input should be a valid UUID" in unfolded(stderr)) == (2, True)
    assert [action for _, action, _, _ in await links.actions()] == ["status_link.remove", "status_link.make"]


async def test_a_clinic_has_so_many_and_no_more(
    links: Terminal, pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    first = await links.made()
    await admin.execute(
        "INSERT INTO status_links (id, org_id, code_hash, label, made_at, made_by, expires_at)"
        " SELECT gen_random_uuid(), org_id, sha256(n::text::bytea), label, made_at, made_by, expires_at"
        "   FROM status_links, generate_series(2, $1) n",
        LINKS_MAX,
    )
    status, stdout, stderr = await links("make", LABEL)
    assert (status, stdout) == (3, "")
    assert stderr == f"tool-sync: organization {links.org_id} has {LINKS_MAX} status links: take one back first\n"
    assert (await links("remove", first["id"]))[0] == 0
    await links.made()
    assert await pool.fetchval("SELECT count(*) FROM status_links") == LINKS_MAX


async def test_a_clinic_that_is_not_there_or_deleted(links: Terminal, clinic: Clinic) -> None:
    made = await links.made()
    every: tuple[tuple[str, ...], ...] = (("list",), ("make", LABEL), ("remove", made["id"]))
    await clinic.happened(e.OrgClosed())
    for words in every:
        status, stdout, stderr = await links(*words)
        assert (status, stdout, stderr) == (3, "", f"tool-sync: organization {links.org_id} was deleted\n"), words
    links.org_id = uuid4()
    for words in every:
        status, stdout, stderr = await links(*words)
        assert (status, stdout, stderr) == (2, "", f"tool-sync: there is no organization {links.org_id}\n"), words
    assert [action for _, action, _, _ in await links.actions()] == ["status_link.make"]


async def test_nothing_is_made_or_taken_back_without_its_row(
    links: Terminal, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    made = await links.made()
    await admin.execute("ALTER TABLE operator_actions ADD CONSTRAINT never CHECK (false) NOT VALID")
    for words in (("make", LABEL), ("remove", made["id"])):
        status, stdout, stderr = await links(*words)
        assert (status, stdout, stderr.count("\n")) == (2, "", 1), (words, stderr)
    assert await links.ids() == [made["id"]]


async def test_another_service_s_database_is_named_in_one_line(links: Terminal, assistant_api_db: DatabaseUrls) -> None:
    for words in (("list",), ("make", LABEL), ("remove", NEVER)):
        status, stdout, stderr = await links(*words, database_url=assistant_api_db.service)
        assert (status, stdout, stderr.count("\n")) == (2, "", 1), (words, stderr)
