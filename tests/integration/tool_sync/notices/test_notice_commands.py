"""``tool-sync notices`` as an operator has it: what HTTP does, with who and why, and each way to be refused."""

import base64
import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.domain import events as e
from zerotouch_platform.operators import operator

from ..command import command, result
from ..explain.clinic import Clinic
from .conftest import KEY, Desk
from .receiver import Receiver

URL = "https://93.184.216.34/notices"
NOTICES_KEY = base64.b64encode(KEY).decode()
REASON = ("--reason", "the clinic asked")


class Terminal:
    """The commands, of one clinic."""

    def __init__(self, urls: DatabaseUrls, desk: Desk, org_id: UUID) -> None:
        self.urls, self.desk, self.org_id = urls, desk, org_id

    async def __call__(self, verb: str, *more: str, key: str = NOTICES_KEY, **env: str) -> tuple[int | None, str, str]:
        reason = () if verb == "show" else REASON
        words = ("notices", verb, str(self.org_id), *more, *reason)
        status, stdout, stderr = await command(
            *words, database_url=env.pop("database_url", self.urls.service), NOTICES_KEY=key, **env
        )
        return status, " ".join(stdout.split()), stderr

    async def shown(self) -> Any:
        """What ``show --json`` has."""
        _, stdout, _ = await command("notices", "show", str(self.org_id), "--json", database_url=self.urls.service)
        return result(stdout)

    async def actions(self) -> Any:
        """What is kept of who did what, the newest first."""
        return result((await command("access", "list", "--json", database_url=self.urls.service))[1])

    async def close(self) -> None:
        """The clinic is deleted."""
        await Clinic(self.desk.log, self.desk.pool, None, None, self.org_id).happened(e.OrgClosed())  # type: ignore[arg-type]


@pytest.fixture
async def notices(tool_sync_db: DatabaseUrls, desk: Desk) -> Terminal:
    """The commands, of a clinic that wants no notices yet."""
    org_id = uuid4()
    await Clinic(desk.log, desk.pool, None, None, org_id).happened(e.OrgRegistered("basic"))  # type: ignore[arg-type]
    return Terminal(tool_sync_db, desk, org_id)


async def test_they_are_set_shown_without_their_secret_rotated_and_ended(notices: Terminal, desk: Desk) -> None:
    assert await notices("show") == (0, f"notices of {notices.org_id}: none are sent: no webhook is set", "")
    assert await notices.shown() is None
    status, said, _ = await notices("set", URL)
    (secret,) = re.findall(r"secret, shown this once: (whsec_\S+)", said)
    assert (status, f"notices of {notices.org_id} go to {URL}" in said) == (0, True)
    assert desk.box.open(notices.org_id, await desk.value("SELECT sealed_secret FROM notice_endpoints")) == secret
    status, said, _ = await notices("show")
    assert status == 0
    assert "sent to a webhook that works" in said
    assert f"set by: {operator()} at" in said
    assert "whsec_" not in said
    _, said, _ = await notices("set", f"{URL}/2")
    assert "secret" not in said
    _, said, _ = await notices("set", URL, "--rotate-secret", "--json")
    rotated = result(said)
    assert rotated["secret"] not in (None, secret)
    assert rotated["old_secret_until"] is not None
    assert (await notices.shown())["secret"] is None
    assert (await notices("remove"))[0] == 0
    assert await notices.shown() is None
    done = [(row["action"], row["object_id"], row["reason"]) for row in await notices.actions()]
    org_id = str(notices.org_id)
    assert done == [
        ("notices.remove", org_id, "the clinic asked"),
        *[("notices.set", org_id, "the clinic asked")] * 3,
    ]


async def test_what_was_set_in_a_terminal_is_sent_and_signed_by_the_service(
    notices: Terminal, desk: Desk, receiver: Receiver
) -> None:
    sandbox = {"VAPI_BASE_URL": "http://127.0.0.1:1", "TOOL_URL_LOOPBACK_ALLOWED": "true"}
    status, said, stderr = await notices("set", receiver.url, "--json", **sandbox)
    assert status == 0, stderr
    _, queued, _ = await notices("test", "--json")
    assert (await notices("test", "--json"))[1] != "", "one that waits is enough"
    await desk.work(desk.sender(), rounds=2)
    (taken,) = receiver.taken
    assert (taken.id, receiver.types) == (result(queued)["message_id"], ["notice.test"])
    assert taken.is_signed_with(result(said)["secret"])


async def test_what_is_disabled_ends_with_1_and_a_replay_begins_anew(
    notices: Terminal, desk: Desk, receiver: Receiver
) -> None:
    await desk.clinic(receiver.url, org_id=notices.org_id)
    await desk.tell(notices.org_id, "first", "second")
    await desk.pool.execute(
        "UPDATE notice_endpoints SET disabled_at = now(), failing_since = now() - interval '1 day',"
        " disabled_why = 'gave_up', last_problem = 'it answered 500'"
    )
    status, said, _ = await notices("show")
    assert status == 1
    assert re.search(r"none are sent since \S+ UTC: nothing was taken for a day; 2 wait for a replay", said)
    assert "last problem: it answered 500" in said
    assert (await notices.shown())["last_problem"] == "it answered 500"
    status, said, _ = await notices("replay")
    assert (status, said) == (0, f"2 notice(s) of {notices.org_id} are sent again, the oldest first")
    assert (await notices("show"))[0] == 0
    await desk.work(desk.sender(), rounds=3)
    assert receiver.types == ["tool.changed", "tool.changed"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://93.184.216.34/", "is not encrypted"),
        ("https://127.0.0.1/", "loopback"),
        ("https://10.0.0.1/", "private"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://nobody.invalid/", "does not resolve"),
        ("javascript:alert(1)", "is no https URL"),
        ("https://93.184.216.34/\x1b[31m\u202e", "holds a character"),
        (f"https://93.184.216.34/{'x' * 5000}", "write at most 255"),
    ],
)
async def test_a_url_that_is_not_public_is_refused_in_one_line(notices: Terminal, url: str, says: str) -> None:
    status, stdout, stderr = await notices("set", url)
    assert (status, stdout, says in stderr) == (2, "", True), stderr
    assert (stderr.startswith("tool-sync: "), stderr.count("\n"), "\x1b" in stderr) == (True, 1, False)
    assert await notices.shown() is None
    assert await notices.actions() == []


@pytest.mark.parametrize("key", ["", "short", "\xe4", base64.b64encode(bytes(31)).decode()])
async def test_without_a_key_that_can_be_one_nothing_is_set(notices: Terminal, key: str) -> None:
    status, stdout, stderr = await notices("set", URL, key=key)
    assert (status, stdout) == (2, "")
    assert stderr.startswith("tool-sync: NOTICES_KEY ")
    assert stderr.count("\n") == 1
    assert await notices.shown() is None


async def test_another_installation_s_key_seals_nothing_here(notices: Terminal, desk: Desk) -> None:
    other = base64.b64encode(bytes(32)).decode()
    await desk.clinic(URL)
    status, stdout, stderr = await notices("set", URL, key=other)
    assert (status, stdout) == (3, "")
    assert "NOTICES_KEY does not open the secret that was made last" in stderr
    assert await notices.shown() is None
    assert (await notices("set", URL))[0] == 0


async def test_a_server_of_this_machine_is_not_for_the_real_vapi(notices: Terminal) -> None:
    status, _, stderr = await notices(
        "set", "https://127.0.0.1/", "--allow-loopback", VAPI_BASE_URL="https://api.vapi.ai"
    )
    assert (status, stderr.startswith("tool-sync: --allow-loopback ")) == (2, True)
    assert await notices.shown() is None


async def test_a_clinic_that_is_not_there_or_deleted_or_wants_none(notices: Terminal) -> None:
    every: tuple[tuple[str, ...], ...] = (("set", URL), ("test",), ("replay",), ("remove",))
    for words in every[1:]:
        status, stdout, stderr = await notices(*words)
        assert (status, stdout, "wants no notices" in stderr) == (2, "", True), words
    assert (await notices("set", URL))[0] == 0
    await notices.close()
    for words in (*every, ("show",)):
        status, stdout, stderr = await notices(*words)
        assert (status, stdout) == (3, ""), words
        assert stderr == f"tool-sync: organization {notices.org_id} was deleted\n"
    notices.org_id = uuid4()
    for words in (*every, ("show",)):
        status, stdout, stderr = await notices(*words)
        assert (status, stdout) == (2, ""), words
        assert stderr == f"tool-sync: there is no organization {notices.org_id}\n"
    assert [row["action"] for row in await notices.actions()] == ["notices.set"]


async def test_another_service_s_database_is_named_in_one_line(
    notices: Terminal, assistant_api_db: DatabaseUrls
) -> None:
    for words in (("show",), ("set", URL), ("test",)):
        status, stdout, stderr = await notices(*words, database_url=assistant_api_db.service)
        assert (status, stdout, stderr.count("\n")) == (2, "", 1), (words, stderr)
