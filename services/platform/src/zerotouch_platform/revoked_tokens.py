"""Tokens that are taken back before they run out, by their ``jti`` (RFC 7519, section 4.1.7).

Each service has a table of them in its own database, which a process reads whole every :data:`READ_SECONDS`: no request
asks for it. While it cannot be read the last list holds; a process that never had one takes no token with a ``jti``,
and is not ready. A token without one cannot be taken back by itself: take its key out of the set.

    revoked_tokens    jti, ends_at, revoked_at, by, reason

A row is deleted once its token has run out by itself, some time after ``ends_at``.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from zerotouch_platform.loops import Loop
from zerotouch_platform.postgres.pool import Connection

READ_SECONDS: Final = 2.0
JTI_CHARACTERS_MAX: Final = 128
ROWS_MAX: Final = 100_000
"""Of one service, some 10 MB of each process. Who has more to take back takes a key out of the set."""
_LEEWAY: Final = "interval '1 minute'"
"""Longer than the clock of whoever signs may be from ours: until then a token may still be taken for good."""

_READ: Final = f"""
WITH gone AS (DELETE FROM revoked_tokens WHERE ends_at < now() - {_LEEWAY})
SELECT jti FROM revoked_tokens WHERE ends_at >= now() - {_LEEWAY}
"""  # noqa: S608 - made of constants
_REVOKE: Final = """
INSERT INTO revoked_tokens (jti, ends_at, "by", reason)
SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM revoked_tokens) < $5
ON CONFLICT (jti) DO UPDATE SET ends_at = greatest(revoked_tokens.ends_at, excluded.ends_at)
RETURNING xmax = 0
"""
_LIST: Final = 'SELECT jti, ends_at, revoked_at, "by", reason FROM revoked_tokens ORDER BY revoked_at, jti'

Connect = Callable[[], AbstractAsyncContextManager[Connection]]


class NotRevocable(Exception):
    """The token cannot be taken back like that; the message says why, for an operator."""


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """Who took a token back, when and why; ``ends_at`` is when it runs out by itself."""

    jti: str
    ends_at: datetime
    revoked_at: datetime
    by: str
    reason: str

    def __str__(self) -> str:
        when = f"revoked {self.revoked_at:%Y-%m-%d %H:%M} UTC, ends {self.ends_at:%Y-%m-%d %H:%M} UTC"
        return f'{self.jti}  {when}  {self.by}  "{self.reason}"'


class RevokedTokens:
    """The list as it is known now; :meth:`loop` follows the table. Without ``followed`` there is none, and it is empty:
    only tests verify tokens like that."""

    def __init__(self, *, followed: bool = True) -> None:
        self._known: frozenset[str] | None = None if followed else frozenset()
        self._problem: str | None = "which tokens are taken back has not been read yet" if followed else None

    @property
    def is_known(self) -> bool:
        """Whether there is a list, new or old."""
        return self._known is not None

    def holds(self, jti: object) -> bool:
        """Whether a token with this ``jti`` was taken back, as far as is known."""
        return self._known is not None and jti in self._known

    async def problem(self) -> str | None:
        """Why nobody can be let in, in words for an operator. A list that is old is none: see :meth:`note`."""
        return self._problem if self._known is None else None

    async def note(self) -> object:
        """Why the list could not be read anew, while the last one is used."""
        return None if self._known is None else self._problem

    def loop(self, connect: Connect, transient: tuple[type[Exception], ...]) -> Loop:
        """Follows the table; an error that is not ``transient`` is an alarm, and waited out, too."""

        async def run_once() -> None:
            await self.read(connect)

        return Loop(run_once, READ_SECONDS, "revoked_tokens_wait", transient, fault="revoked_tokens_not_read")

    async def read(self, connect: Connect) -> None:
        """Read the table, and delete what has run out. Raises the database's errors, and then the last list stays."""
        try:
            async with connect() as connection:
                rows = await connection.fetch(_READ)
        except Exception as error:
            self._problem = f"the list of tokens that are taken back cannot be read: {type(error).__name__}"
            raise
        self._known, self._problem = frozenset(row["jti"] for row in rows), None


async def revoke(connection: Connection, jti: str, ends_at: datetime, *, by: str, reason: str) -> bool:
    """Take a token back until it runs out at ``ends_at``; False where it was already, and then the later end counts.

    Raises :class:`NotRevocable`.
    """
    if not 0 < len(jti) <= JTI_CHARACTERS_MAX or not jti.isprintable():
        raise NotRevocable(f"a jti has 1 to {JTI_CHARACTERS_MAX} printable characters")
    if ends_at <= await connection.fetchval("SELECT now()"):
        raise NotRevocable("a token whose end is past is good for nothing any more: --until is when it runs out")
    is_new: bool | None = await connection.fetchval(_REVOKE, jti, ends_at, by, reason, ROWS_MAX)
    if is_new is None:
        raise NotRevocable(f"{ROWS_MAX:,} tokens are taken back already: take their key out of the set instead")
    return is_new


async def revoked(connection: Connection) -> list[RevokedToken]:
    """Those that are taken back, oldest first."""
    return [RevokedToken(**dict(row)) for row in await connection.fetch(_LIST)]
