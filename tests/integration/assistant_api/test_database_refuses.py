"""A wrong password or database is what /readyz and the log say; the service waits for it to be put right."""

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog
from tests.support.eventually import eventually
from tests.support.rights import revoke_all

from assistant_api.app.composition import new_health
from assistant_api.db import Database
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from .harness import Harness, make_settings


def _of_another(url: str, **change: Any) -> str:
    return urlunsplit(urlsplit(url)._replace(**change))


@pytest.mark.parametrize("wrong", ["password", "database"])
async def test_a_wrong_setting_is_said_and_waited_for(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, wrong: str
) -> None:
    url = assistant_api_db.service
    host = urlsplit(url).netloc.rpartition("@")[2]
    change = {"netloc": f"assistant_api:wrong@{host}"} if wrong == "password" else {"path": "/no_such_database"}
    settings = make_settings(assistant_api_db, sandbox, database_url=_of_another(url, **change))
    health = new_health()
    with structlog.testing.capture_logs() as logged:
        connecting = asyncio.create_task(Database(settings, health).connect())

        async def said() -> str | None:
            reason = health.reasons()["database"]
            return reason if "PostgreSQL" in reason else None

        reason = await eventually(said, within_seconds=10)
        assert not connecting.done()
        connecting.cancel()
    assert reason.startswith(
        "PostgreSQL refuses this service's user or password: "
        if wrong == "password"
        else "PostgreSQL has no such database: "
    )
    assert [entry["reason"] for entry in logged if entry["event"] == "part_not_ready"] == [reason]


async def test_a_right_that_was_taken_away_is_told_to_the_operator_and_not_to_the_caller(
    harness: Harness, assistant_api_db: DatabaseUrls
) -> None:
    admin = await asyncpg.connect(assistant_api_db.admin)
    await revoke_all(admin, "saves")
    await admin.close()
    with structlog.testing.capture_logs() as logged:
        answer = await harness.get("/api/saves")

    assert answer.status_code == 503
    assert "permission" not in answer.json()["detail"]
    (entry,) = [entry for entry in logged if entry["event"] == "database_needs_a_person"]
    assert entry["alarm"]
    assert "permission denied for table saves" in entry["reason"]
