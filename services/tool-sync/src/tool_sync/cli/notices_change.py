"""What the commands on notices do, and say then."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from pydantic_settings import BaseSettings

from tool_sync.admin import notices
from tool_sync.cli.exits import EXIT_FOUND, NotFound, fail
from tool_sync.cli.output import called, entry, show, utc
from tool_sync.db import Connection
from tool_sync.notices.destination import url_problems
from tool_sync.notices.endpoints import Endpoint
from tool_sync.notices.shown import said, shown
from tool_sync.notices.signing import SecretBox
from tool_sync.publishing.resolving import resolve
from tool_sync.queries.display_names import name_of
from tool_sync.settings.kinds import Key, decoded
from zerotouch_platform.settings import CONFIG, SettingsInvalid, load


class _KeyOfNotices(BaseSettings):
    """The one of the service's settings that seals secrets."""

    model_config = CONFIG
    notices_key: Key | None = None


def key_of_environment() -> SecretBox:
    """What seals a new secret; ends the command where the environment has no key, or none that can be one."""
    try:
        key = load(_KeyOfNotices).notices_key
    except SettingsInvalid as error:
        fail(f"NOTICES_KEY {error.problems[0].reason}")
    if key is None:
        fail("NOTICES_KEY is not set: give the service's own, which seals the secret")
    return SecretBox(decoded(key))


async def show_notices(connection: Connection, org_id: UUID, *, as_json: bool) -> int:
    """How it goes; the exit status says whether it is disabled."""
    found = await notices.notices_of(connection, org_id)
    name = await name_of(connection, org_id)
    show("notices show", found and shown(found), _lines(org_id, name, found), as_json=as_json)
    return EXIT_FOUND if found is not None and found.disabled_at is not None else 0


async def set_notices(
    connection: Connection,
    box: SecretBox,
    org_id: UUID,
    url: str,
    *,
    rotate: bool,
    reason: str,
    loopback_allowed: bool,
    as_json: bool,
) -> None:
    """Store the URL, and say the secret where it is new. Raises what :func:`~tool_sync.admin.notices.set_notices` does,
    and :class:`NotFound` where the URL is not public."""
    if problems := await url_problems(url, resolve, loopback_allowed=loopback_allowed):
        raise NotFound("; ".join(problems))
    stored, secret = await notices.set_notices(connection, box, org_id, url, rotate=rotate, reason=reason)
    fields = (
        ("secret, shown this once", secret),
        ("the one before signs, too, until", utc(stored.old_secret_until)),
    )
    lines = entry(f"notices of {org_id} go to {stored.url}", fields)
    show("notices set", shown(stored, secret), lines, as_json=as_json)


async def try_notices(connection: Connection, org_id: UUID, reason: str, *, as_json: bool) -> None:
    """Queue one, and say its id."""
    message_id = await notices.try_notices(connection, org_id, reason)
    lines = (f"{message_id} is sent after what waits; `tool-sync notices show {org_id}` says what became of it",)
    show("notices test", {"message_id": message_id}, lines, as_json=as_json)


async def replay_notices(connection: Connection, org_id: UUID, reason: str, *, as_json: bool) -> None:
    """Begin anew, and say with how many."""
    found = await notices.replay_notices(connection, org_id, reason)
    lines = (f"{found.waiting:,} notice(s) of {org_id} are sent again, the oldest first",)
    show("notices replay", shown(found), lines, as_json=as_json)


def _lines(org_id: UUID, name: str, found: Endpoint | None) -> Iterator[str]:
    heading = f"notices of {called(org_id, name)}: {said(found, datetime.now(UTC))}"
    if found is None:
        yield heading
        return
    fields = (
        ("go to", found.url),
        ("waiting", f"{found.waiting:,}"),
        ("last delivered at", utc(found.delivered_at)),
        ("last tried at", utc(found.last_try_at)),
        ("last problem", found.last_problem),
        ("secret made at", utc(found.secret_made_at)),
        ("the one before signs, too, until", utc(found.old_secret_until)),
        ("set by", f"{found.set_by} at {utc(found.set_at)}"),
    )
    yield from entry(heading, fields)
