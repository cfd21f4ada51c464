"""A clinic of the console's log, and who looks at it."""

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.log import EventLog
from zerotouch_contracts.text import searchable

from ..explain.clinic import Clinic
from .conftest import Browser

NAMED = """
INSERT INTO display_names (org_id, agent_id, name, searched, revision, log_id) VALUES ($1, $2, $3, $4, 1, $5)
ON CONFLICT (org_id, agent_id) DO UPDATE SET name = excluded.name, searched = excluded.searched
"""
HOSTILE = ('<script>alert(1)</script>"' + "'", "x" * 200, "‮abc‏", "{{ 7 * 7 }}")
"""What a tenant may be called. A name has 200 characters at most."""

Members = Callable[..., Awaitable[Browser]]


async def call(clinic: Clinic, name: str, agent_id: str = "", org_id: UUID | None = None) -> None:
    """Name the clinic, or an agent of it."""
    await clinic.pool.execute(NAMED, org_id or clinic.org_id, agent_id, name, searchable(name), uuid4())


@pytest.fixture(name="clinic")
def clinic_(event_log: EventLog, pool: db.Pool, browser: Browser, signer: Signer) -> Clinic:
    """A clinic without events."""
    return Clinic(event_log, pool, browser.client, signer)


@pytest.fixture
def member(make_browser: Callable[[], Browser], signer: Signer, clinic: Clinic) -> Members:
    """Sign somebody of the clinic in, or of another, perhaps with some scopes only."""

    async def enter(org_id: UUID | None = None, *, scope: str | None = None) -> Browser:
        browser = make_browser()
        answer = await browser.sign_in(signer.org_token(str(org_id or clinic.org_id), scope=scope))
        assert answer.url.path != "/console/login", answer.text
        return browser

    return enter
