"""A pooler in transaction mode is refused with the reason, and one in session mode is none of our business."""

import pytest

from devstack.databases import SERVICES, DatabaseUrls, MigrationFailed, Service, TestDatabases, migrate
from zerotouch_platform.postgres.session import session_problem

from .pooler import pooled


async def test_the_servers_own_address_has_sessions(tool_sync_db: DatabaseUrls) -> None:
    assert await session_problem(tool_sync_db.service) is None


async def test_a_pooler_in_session_mode_has_sessions(tool_sync_db: DatabaseUrls) -> None:
    async with pooled(tool_sync_db.service, by_transaction=False, drops_settings=False) as url:
        assert await session_problem(url) is None


@pytest.mark.parametrize(
    ("drops_settings", "words"),
    [(True, "loses its setting lock_timeout"), (False, "moved to another session")],
    ids=["it drops settings", "it hands settings on"],
)
async def test_a_pooler_in_transaction_mode_is_seen(
    tool_sync_db: DatabaseUrls, drops_settings: bool, words: str
) -> None:
    async with pooled(tool_sync_db.service, by_transaction=True, drops_settings=drops_settings) as url:
        for _ in range(3):
            problem = await session_problem(url)
            assert problem is not None
            assert words in problem
            assert "server itself" in problem


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_are_refused_through_one(postgres: TestDatabases, service: Service) -> None:
    made = await postgres.create_empty_database(service)
    async with pooled(made.owner, by_transaction=True, drops_settings=True) as url:
        with pytest.raises(MigrationFailed, match="pooler without sessions"):
            await migrate(service, url)
    await postgres.drop(made)
