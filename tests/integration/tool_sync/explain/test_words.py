"""What Vapi said is found by clinic, agent and trace, by whom it concerns, for 30 days, and stands nowhere else."""

import logging
from uuid import UUID, uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.vapi.failures import VapiFailure
from tool_sync.vapi.words import forget_words, keep_words
from zerotouch_contracts.errors import ErrorCode

from ..command import command, result
from .clinic import Clinic

TRACE = "ab" * 16


def refusal(words: str) -> VapiFailure:
    return VapiFailure("refused", ErrorCode.ASSISTANT_REFUSED, 400, words=words, route="PATCH /assistant/{id}")


async def keep(
    clinic: Clinic, words: str, agent: str | None = "agent-1", trace: str | None = TRACE, org: UUID | None = None
) -> None:
    org_id = org or clinic.org_id
    await keep_words(clinic.pool, refusal(words), org_id=org_id, agent_id=agent, trace_id=trace)


async def test_words_are_found_by_clinic_agent_and_trace(clinic: Clinic, tool_sync_db: DatabaseUrls) -> None:
    await keep(clinic, "model.provider must be one of openai, groq")
    await keep(clinic, "of another agent", agent="agent-2", trace="cd" * 16)
    await keep(clinic, "of another clinic", org=uuid4(), trace="ef" * 16)
    path = f"/v1/orgs/{clinic.org_id}/vapi-words"
    both = (await clinic.ask(path)).json()["words"]
    assert [one["words"] for one in both] == ["of another agent", "model.provider must be one of openai, groq"]
    for query in ({"agent": "agent-1"}, {"trace": TRACE}):
        (found,) = (await clinic.ask(path, **query)).json()["words"]
        assert (found["code"], found["status"], found["route"]) == ("TS-302", 400, "PATCH /assistant/{id}")

    status, stdout, _ = await command("words", "--trace", TRACE, database_url=tool_sync_db.service)
    assert status == 0
    assert "model.provider must be one of openai, groq" in stdout
    assert "another" not in stdout
    _, stdout, _ = await command(
        "words", "--org", str(clinic.org_id), "--agent", "agent-2", "--json", database_url=tool_sync_db.service
    )
    assert [one["words"] for one in result(stdout)] == ["of another agent"]


async def test_a_clinics_token_reads_its_own_words_only(clinic: Clinic) -> None:
    await keep(clinic, "ours")
    path = f"/v1/orgs/{clinic.org_id}/vapi-words"
    ours = await clinic.ask(path, token=clinic.signer.org_token(str(clinic.org_id)))
    assert [one["words"] for one in ours.json()["words"]] == ["ours"]
    stranger = await clinic.ask(path, token=clinic.signer.org_token(str(uuid4())))
    assert stranger.status_code == 404
    assert "ours" not in stranger.text


async def test_the_command_asks_for_one_of_them_and_says_where_nothing_was_kept(
    clinic: Clinic, tool_sync_db: DatabaseUrls
) -> None:
    status, _, stderr = await command("words", database_url=tool_sync_db.service)
    assert status == 2
    assert "--org, --agent or --trace" in stderr
    status, stdout, _ = await command("words", "--agent", "nobody", database_url=tool_sync_db.service)
    assert (status, stdout.strip()) == (0, "nothing that Vapi said in the last 30 days matches")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a\x00b\ud83d c\udc00\n\x1b[31m", "a b  c   [31m"),
        ("x" * 5000, "x" * 2000),
        ("Zürich 🦷", "Zürich 🦷"),
    ],
)
async def test_whatever_vapi_says_can_be_stored_and_read_on_a_terminal(clinic: Clinic, said: str, kept: str) -> None:
    await keep(clinic, said)
    assert [row["words"] for row in await clinic.pool.fetch("SELECT words FROM vapi_words")] == [kept]


@pytest.mark.parametrize("said", ["", "\x00", " \n", "\ud83d"])
async def test_where_nothing_was_said_nothing_is_kept(clinic: Clinic, said: str) -> None:
    await keep(clinic, said)
    assert await clinic.pool.fetchval("SELECT count(*) FROM vapi_words") == 0


async def test_retries_are_counted_and_another_trace_is_told_apart(clinic: Clinic) -> None:
    for _ in range(3):
        await keep(clinic, "no")
    await keep(clinic, "no", trace="cd" * 16)
    await keep(clinic, "no", agent=None, trace=None)
    await keep(clinic, "no", agent=None, trace=None)
    rows = await clinic.pool.fetch("SELECT agent_id, trace_id, times FROM vapi_words ORDER BY id")
    assert [tuple(row) for row in rows] == [("agent-1", TRACE, 3), ("agent-1", "cd" * 16, 1), (None, None, 2)]


async def test_words_are_shown_and_kept_for_thirty_days(clinic: Clinic) -> None:
    await keep(clinic, "old")
    await clinic.pool.execute("UPDATE vapi_words SET at = at - interval '31 days'")
    await keep(clinic, "new", agent="agent-2")
    shown = (await clinic.ask(f"/v1/orgs/{clinic.org_id}/vapi-words")).json()["words"]
    assert [one["words"] for one in shown] == ["new"]
    assert await forget_words(clinic.pool) == 1
    assert await forget_words(clinic.pool) == 0
    assert await clinic.pool.fetchval("SELECT count(*) FROM vapi_words") == 1


async def test_a_database_that_is_away_stops_nothing_and_the_words_are_in_no_log(
    tool_sync_db: DatabaseUrls, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = await db.SESSIONS.pool(tool_sync_db.service, size_max=1)
    await pool.close()
    with caplog.at_level(logging.DEBUG):
        await keep_words(pool, refusal("the patient Smith"), org_id=uuid4(), agent_id=None, trace_id=None)
    assert "Smith" not in caplog.text + capsys.readouterr().out
