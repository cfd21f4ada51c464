"""The list of tokens that are taken back, as a process knows it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from tests.support.jwt_settings import JwtSettings

from devstack.tokens import new_signer
from zerotouch_platform.auth import TokenUnsure, TokenVerifier
from zerotouch_platform.revoked_tokens import Connect, RevokedTokens

SIGNER = new_signer()


class Table:
    """A database that has the table, or does not answer."""

    def __init__(self, *rows: str) -> None:
        self.rows: Sequence[str] = rows
        self.is_away = False

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        if self.is_away:
            raise OSError("no route to host")
        yield self

    async def fetch(self, _statement: str) -> list[dict[str, str]]:
        return [{"jti": one} for one in self.rows]


def connect_to(table: Table) -> Connect:
    return cast(Connect, table.connect)


async def test_a_token_is_refused_once_it_is_listed_and_no_other_is() -> None:
    table, tokens = Table(), RevokedTokens()
    await tokens.read(connect_to(table))
    assert (tokens.holds("a"), await tokens.problem()) == (False, None)
    table.rows = ["a"]
    await tokens.read(connect_to(table))
    assert tokens.holds("a")
    assert not tokens.holds("b")
    assert not tokens.holds(None)


async def test_the_last_list_holds_while_the_table_cannot_be_read_and_that_is_said() -> None:
    table, tokens = Table("a"), RevokedTokens()
    await tokens.read(connect_to(table))
    table.is_away = True
    with pytest.raises(OSError, match="no route"):
        await tokens.read(connect_to(table))
    assert tokens.holds("a")
    assert not tokens.holds("b")
    assert (await tokens.problem(), str(await tokens.note())) == (
        None, "the list of tokens that are taken back cannot be read: OSError",
    )  # fmt: skip
    table.is_away = False
    await tokens.read(connect_to(table))
    assert await tokens.note() is None


async def test_who_never_had_a_list_takes_no_token_that_could_be_on_it_and_is_not_ready() -> None:
    verifier = TokenVerifier(JwtSettings(SIGNER.public_key), revoked=RevokedTokens())
    with pytest.raises(TokenUnsure, match="not known yet"):
        verifier.caller_of(f"Bearer {SIGNER.platform_token()}")
    assert await verifier.revoked.problem() == "which tokens are taken back has not been read yet"
    assert await verifier.revoked.note() is None


def test_a_token_of_the_development_machine_has_an_id_of_its_own() -> None:
    verifier = TokenVerifier(JwtSettings(SIGNER.public_key))
    ids = {verifier.caller_of(f"Bearer {SIGNER.platform_token()}").token_id for _ in range(2)}
    assert len(ids) == 2
    assert None not in ids
